//! What differs between systems: one module for each, all of the same shape.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
pub(crate) use linux::{
    HIGHEST_SIGNAL, RECV_FLAGS, SEND_FLAGS, arm_parent_death, clone_beside, close_on_exec,
    close_on_exec_from, create_memory, current_core, default_signal, executable,
    forget_ignored_signals, has_holes, has_sealed_length, image, is_sealed_memory, keep_from_forks,
    limit_child, name_process, nonblocking_pair, on_main_thread, open_executable, prefer_others,
    reserve_memory, seal_length, seal_memory, show_arguments, take_place, thread_id,
};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{
    HIGHEST_SIGNAL, RECV_FLAGS, SEND_FLAGS, arm_parent_death, clone_beside, close_on_exec,
    close_on_exec_from, create_memory, current_core, default_signal, executable,
    forget_ignored_signals, has_holes, has_sealed_length, image, is_sealed_memory, keep_from_forks,
    limit_child, name_process, nonblocking_pair, on_main_thread, open_executable, prefer_others,
    reserve_memory, seal_length, seal_memory, show_arguments, take_place, thread_id,
};
