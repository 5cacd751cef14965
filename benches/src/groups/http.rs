//! A server that says hello.

use crate::goal::Rule::AtMostOfFloor;
use crate::measure::Measure;
use crate::order::Work;

pub(super) fn measures(_smoke: bool) -> Vec<Measure> {
    let peers = &["axum", "actix_web", "nginx"];
    let goal = "≥ 0.97 of bare hyper: its CPU a request by ours";
    let cpu = Measure::new("hello_cpu_us", Work::Http, "cpu_us").peers(peers);
    let rate = Measure::new("hello_per_s", Work::Http, "per_s").peers(peers);
    let service = Measure::new("hello_service_cpu_us", Work::HttpService, "cpu_us");
    vec![
        cpu.goal(goal, AtMostOfFloor(1.0 / 0.97)),
        rate,
        service.goal(goal, AtMostOfFloor(1.0 / 0.97)),
    ]
}
