//! The farlens command.

mod bench;
#[cfg(test)]
mod json;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut plan = bench::Plan::default();
    let args: Vec<String> = std::env::args().collect();
    if let Some(n) = args.get(1) { plan.rounds = n.parse().unwrap(); }
    if let Some(n) = args.get(2) { plan.entities = n.parse().unwrap(); }
    let r = runtime.block_on(bench::loopback(plan, |cell| {
        println!("{} {} {:.2} {} {:?}", cell.id, cell.system, cell.value, cell.unit, cell.ratio_to_raw);
    }));
    println!("{r:?}");
}
