%% Measures gen_server within one node and between two, and prints what was measured: lines `name value`.
-module(measure).
-behaviour(gen_server).
-export([main/1, start/0, init/1, handle_call/3, handle_cast/2]).

%% The state is the number of the next message, and the sum; a message out of order ends the server.
init(_) -> {ok, {0, 0}}.

handle_call(total, _From, {_, Sum} = State) -> {reply, Sum, State};
handle_call({count, Number, _Payload}, _From, {Number, Sum}) ->
    {reply, Sum + Number, {Number + 1, Sum + Number}}.

handle_cast({note, Number, _Payload}, {Number, Sum}) -> {noreply, {Number + 1, Sum + Number}}.

start() -> gen_server:start(?MODULE, [], []).

main([Work, Number, Payload]) ->
    measure(Work, list_to_integer(Number), binary:copy(<<1>>, list_to_integer(Payload))),
    halt(0).

measure("ask", Millis, Payload) -> ask(there(), Millis, Payload);
measure("tell", Millis, Payload) -> tell(there(), Millis, Payload);
measure("loop_ask", Millis, Payload) -> ask(here(), Millis, Payload);
measure("loop_tell", Millis, Payload) -> tell(here(), Millis, Payload);
measure("spawn", Millis, _) -> spawns(Millis);
measure("memory", Count, _) ->
    Before = erlang:memory(processes),
    Pids = [here() || _ <- lists:seq(1, Count)],
    print("bytes", (erlang:memory(processes) - Before) / length(Pids)).

here() ->
    {ok, Pid} = start(),
    Pid.

%% A second node on this machine, which ends with this one.
there() ->
    [Name, Host] = string:split(atom_to_list(node()), "@"),
    Other = list_to_atom(Name ++ "x@" ++ Host),
    Command = "erl -noinput -sname " ++ atom_to_list(Other) ++ " -setcookie bench -eval "
        "\"net_kernel:connect_node('" ++ atom_to_list(node()) ++ "'), monitor_node('" ++ atom_to_list(node())
        ++ "', true), receive {nodedown, _} -> halt() end.\"",
    open_port({spawn, Command}, []),
    connect(Other, 500),
    {ok, Pid} = rpc:call(Other, ?MODULE, start, []),
    Pid.

connect(Other, 0) -> exit({not_there, Other});
connect(Other, Tries) ->
    case lists:member(Other, nodes()) of
        true -> ok;
        false -> timer:sleep(20), connect(Other, Tries - 1)
    end.

now_ns() -> erlang:monotonic_time(nanosecond).

ask(Pid, Millis, Payload) ->
    {Warm, _} = asks(Pid, Payload, 0, now_ns() + Millis * 250000, []),
    {Count, Spans} = asks(Pid, Payload, Warm, now_ns() + Millis * 1000000, []),
    check(Pid, Count),
    percentiles(Spans).

asks(Pid, Payload, Number, Until, Spans) ->
    Begun = now_ns(),
    gen_server:call(Pid, {count, Number, Payload}),
    Ended = now_ns(),
    More = [Ended - Begun | Spans],
    case Ended < Until of
        true -> asks(Pid, Payload, Number + 1, Until, More);
        false -> {Number + 1, More}
    end.

tell(Pid, Millis, Payload) ->
    Warm = tells(Pid, Payload, 0, now_ns() + Millis * 250000),
    check(Pid, Warm),
    Begun = now_ns(),
    Count = tells(Pid, Payload, Warm, Begun + Millis * 1000000),
    check(Pid, Count),
    print("per_s", (Count - Warm) * 1.0e9 / (now_ns() - Begun)).

%% Mailboxes are not bounded: each so many messages the sender asks for the total.
tells(Pid, Payload, Number, Until) ->
    casts(Pid, Payload, Number, Number + 10000),
    gen_server:call(Pid, total, infinity),
    case now_ns() < Until of
        true -> tells(Pid, Payload, Number + 10000, Until);
        false -> Number + 10000
    end.

casts(_, _, End, End) -> ok;
casts(Pid, Payload, Number, End) ->
    gen_server:cast(Pid, {note, Number, Payload}),
    casts(Pid, Payload, Number + 1, End).

spawns(Millis) ->
    _ = spawned(now_ns() + Millis * 250000, []),
    percentiles(spawned(now_ns() + Millis * 1000000, [])).

spawned(Until, Spans) ->
    Begun = now_ns(),
    Pid = here(),
    Ended = now_ns(),
    exit(Pid, kill),
    case Ended < Until of
        true -> spawned(Until, [Ended - Begun | Spans]);
        false -> Spans
    end.

check(Pid, Count) ->
    Expected = Count * (Count - 1) div 2,
    Expected = gen_server:call(Pid, total, infinity).

percentiles(Spans) ->
    Sorted = list_to_tuple(lists:sort(Spans)),
    Size = tuple_size(Sorted),
    print("p50_us", element((Size + 1) div 2, Sorted) / 1000),
    print("p99_us", element(max(1, Size * 99 div 100), Sorted) / 1000).

print(Name, Value) -> io:format("~s ~p~n", [Name, float(Value)]).
