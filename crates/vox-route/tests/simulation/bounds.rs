use crate::run::{REQUESTS, Run, run};
use crate::world::{Change, SHAPE, Shape};

const SEEDS: u64 = 20;
const HALF: usize = REQUESTS / 2;

fn runs(shape: &Shape) -> Vec<Run> {
    let first: u64 = std::env::var("VOX_SIMULATION_FIRST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let n: u64 = std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let half = first + n / 2;
    std::thread::scope(|scope| {
        let a = scope.spawn(move || (first..half).map(|seed| run(shape, seed)).collect::<Vec<_>>());
        let b = scope.spawn(move || (half..first + n).map(|seed| run(shape, seed)).collect::<Vec<_>>());
        a.join().unwrap().into_iter().chain(b.join().unwrap()).collect()
    })
}
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
fn over(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    runs.iter().map(of).sum::<f64>() / runs.len() as f64
}

fn summary(label: &str, shape: &Shape) -> Vec<Run> {
    let t = std::time::Instant::now();
    let runs = runs(shape);
    let second = over(&runs, |r| mean(&r.ratio[HALF..]));
    let regret = over(&runs, |r| r.cost.iter().sum::<f64>() / r.best_cost.iter().sum::<f64>() - 1.0);
    let succ = over(&runs, |r| mean(&r.success)) / over(&runs, |r| r.single.0);
    let cost = over(&runs, |r| mean(&r.charge)) / over(&runs, |r| r.single.1);
    let explored = over(&runs, |r| r.explored.iter().filter(|e| **e).count() as f64 / REQUESTS as f64);
    let late = over(&runs, |r| mean(&r.ratio[HALF + 300..]));
    let s1 = over(&runs, |r| mean(&r.success[..HALF]));
    let s2 = over(&runs, |r| mean(&r.success[HALF..]));
    let s3 = over(&runs, |r| mean(&r.success[HALF + 300..]));
    let mut rec: Vec<usize> = runs
        .iter()
        .map(|r| {
            let before = mean(&r.ratio[HALF - 500..HALF]);
            let bound = (1.25 * before).max(1.35);
            (40..HALF).find(|n| mean(&r.ratio[HALF + n - 40..HALF + n]) <= bound).unwrap_or(HALF)
        })
        .collect();
    rec.sort();
    let lead = over(&runs, |r| mean(&(HALF..REQUESTS).filter(|i| !r.explored[*i]).map(|i| r.ratio[i]).collect::<Vec<_>>()));
    let bold = over(&runs, |r| {
        let v: Vec<f64> = (0..REQUESTS).filter(|i| r.explored[*i]).map(|i| r.ratio[i]).collect();
        if v.is_empty() { 0.0 } else { mean(&v) }
    });
    let e1 = over(&runs, |r| r.explored[..1000].iter().filter(|e| **e).count() as f64 / 1000.0);
    for (a, b) in [(0, 500), (500, 1500), (1500, 3000), (3000, 6000)] {
        let n = over(&runs, |r| r.explored[a..b].iter().filter(|e| **e).count() as f64 / (b - a) as f64);
        let v: Vec<f64> = runs.iter().flat_map(|r| (a..b).filter(|i| r.explored[*i]).map(|i| r.ratio[i]).collect::<Vec<_>>()).collect();
        let l: Vec<f64> = runs.iter().flat_map(|r| (a..b).filter(|i| !r.explored[*i]).map(|i| r.ratio[i]).collect::<Vec<_>>()).collect();
        let eps = over(&runs, |r| r.epsilon[a..b].iter().filter(|e| **e == 0).count() as f64 / (b - a) as f64);
        let em = over(&runs, |r| r.epsilon[a..b].iter().map(|e| f64::from(*e)).sum::<f64>() / (b - a) as f64 / 1e6);
        println!("   {a}..{b} explored {n:.3} ratio {:.2} lead {:.3} closed {eps:.3} eps {em:.3}", mean(&v), mean(&l));
    }
    let mut wrong: Vec<(f64, u32, u32, usize, usize)> = runs.iter().flat_map(|r| r.last.clone()).collect();
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0));
    if std::env::var("WRONG").is_ok() {
        println!(
            "   share wrong>1.1: {:.3}; worst (ratio, n best, n leader, best, leader): {:?}",
            wrong.iter().filter(|w| w.0 > 1.1).count() as f64 / wrong.len() as f64,
            &wrong[..40.min(wrong.len())]
        );
    }
    if shape.change != Change::None {
        for (a, b) in [(0, 40), (40, 80), (80, 120), (120, 160), (160, 240), (240, 360), (360, 600), (600, 1200), (1200, 3000)] {
            let ratio = over(&runs, |r| mean(&r.ratio[HALF + a..HALF + b]));
            let old =
                over(&runs, |r| (HALF + a..HALF + b).filter(|i| r.picks[*i] == r.regressed[r.tasks[*i]]).count() as f64 / (b - a) as f64);
            let or = over(&runs, |r| {
                let v: Vec<f64> = (HALF + a..HALF + b).filter(|i| r.picks[*i] == r.regressed[r.tasks[*i]]).map(|i| r.ratio[i]).collect();
                if v.is_empty() { 1.0 } else { mean(&v) }
            });
            let tr = over(&runs, |r| {
                (HALF + a..HALF + b).filter(|i| r.picks[*i] != r.regressed[r.tasks[*i]] && !r.explored[*i] && r.ratio[*i] > 1.5).count()
                    as f64
                    / (b - a) as f64
            });
            let fresh = over(&runs, |r| {
                (HALF + a..HALF + b)
                    .filter(|i| r.picks[*i] != r.regressed[r.tasks[*i]] && !r.explored[*i] && r.ratio[*i] > 1.5 && r.fresh[*i])
                    .count() as f64
                    / (b - a) as f64
            });
            print!("fresh {fresh:.2}");
            println!("   +{a}..{b} ratio {ratio:.2} old share {old:.2} at {or:.2} trapped {tr:.2}");
        }
        let med = |v: Vec<f64>| {
            let mut v = v;
            v.sort_by(f64::total_cmp);
            v[v.len() / 2]
        };
        println!(
            "   bound median {:.2} before {:.2} floor",
            med(runs.iter().map(|r| (1.25 * mean(&r.ratio[HALF - 500..HALF])).max(1.35)).collect()),
            med(runs.iter().map(|r| mean(&r.ratio[HALF - 500..HALF])).collect())
        );
    }
    print!("[lead {lead:.3} bold {bold:.2} e1000 {e1:.3}] ");
    println!(
        "{label:34} second {second:.3} regret {regret:.3} succ {succ:.3} cost {cost:.3} explored {explored:.3} late {late:.3} s {s1:.3}->{s2:.3} ({s3:.3}) rec {} / {}  {:.1}s",
        rec[rec.len() / 2],
        rec[rec.len() * 9 / 10],
        t.elapsed().as_secs_f64()
    );
    runs
}

#[test]
fn explore_the_space() {
    if std::env::var("ONE").is_ok() {
        summary("stationary 50k", &SHAPE);
        summary("regression", &Shape { change: Change::Regression(0.4), ..SHAPE });
        return;
    }
    let f50 = SHAPE;
    let f200 = Shape { failure_micros: 200_000, ..SHAPE };
    summary("stationary 50k", &f50);
    summary("stationary 200k", &f200);
    summary("off 50k", &Shape { explore: false, ..f50 });
    summary("off 200k", &Shape { explore: false, ..f200 });
    summary("regression", &Shape { change: Change::Regression(0.4), ..f50 });
    summary("regression 200", &Shape { change: Change::Regression(0.4), ..f200 });
    summary("price cut", &Shape { change: Change::PriceCut, ..f50 });
    summary("walk", &Shape { change: Change::Walk(0.01), ..f50 });
    summary("stationary 50k shared", &Shape { shared: 1.0, ..f50 });
    summary("stationary 200k shared", &Shape { shared: 1.0, ..f200 });
    summary("wrong prior", &Shape { prior: (0.90, 0.55), ..f50 });
}
