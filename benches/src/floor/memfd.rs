//! A memfd that is handed to another process, which maps it and reads its ends.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use pulsar_bench_raw::{Mapping, fork, receive_descriptor, send_descriptor};

use crate::cores;
use crate::order::{Order, Reading};
use crate::samples::Samples;

pub(super) fn share(order: &Order, bytes: usize) -> anyhow::Result<Reading> {
    let places = order.cores.places()?;
    let (mut ours, mut theirs) = UnixStream::pair()?;
    let _callee = fork(|| {
        let served = cores::keep(places.callee).and_then(|()| serve(&mut theirs, bytes));
        i32::from(served.is_err())
    })?;
    cores::keep(places.caller)?;
    let mut memory = Mapping::create(bytes)?;
    memory.set_ends(1, 2);
    let samples = Samples::of(order, || {
        send_descriptor(&ours, memory.descriptor())?;
        let mut sum = [0];
        ours.read_exact(&mut sum)?;
        anyhow::ensure!(sum == [3], "the ends add up to {sum:?}");
        Ok(())
    })?;
    Ok(samples.reading(""))
}

fn serve(socket: &mut UnixStream, bytes: usize) -> anyhow::Result<()> {
    while let Some(descriptor) = receive_descriptor(socket)? {
        let (first, last) = Mapping::of(descriptor, bytes)?.ends();
        socket.write_all(&[first + last])?;
    }
    Ok(())
}
