//! The picture of `docs/concepts/evidence.md`: the ratio over time, of worlds that stay and worlds that change.

use crate::bounds::mean;
use crate::run::{REQUESTS, Run, runs};
use crate::world::{Change, SHAPE, Shape};
use std::fmt::Write as _;

/// Requests that make one point of a curve.
const STEP: usize = 100;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const MARGIN: f64 = 48.0;
const TOP_RATIO: f64 = 3.0;

#[test]
fn curve() {
    let Ok(path) = std::env::var("VOX_SIMULATION_CURVE") else { return };
    let curves = [
        ("nothing changes", "#1b6ca8", SHAPE),
        ("nothing changes, no exploring", "#9aa5b1", Shape { explore: false, ..SHAPE }),
        ("the most used offers become worse at 3000", "#c0392b", Shape { change: Change::Regression(0.4), ..SHAPE }),
        ("the dearest costs a tenth from 3000 on", "#2e8b57", Shape { change: Change::PriceCut, ..SHAPE }),
    ];
    let drawn: Vec<(&str, &str, Vec<f64>)> =
        curves.into_iter().map(|(label, colour, shape)| (label, colour, points(&runs(&shape)))).collect();
    // Tests run in the folder of their crate; the path is given from that of the repository.
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::write(path, svg(&drawn)).unwrap();
}

fn points(runs: &[Run]) -> Vec<f64> {
    let point = |at: usize| mean(&runs.iter().map(|run| mean(&run.ratio[at * STEP..(at + 1) * STEP])).collect::<Vec<_>>());
    (0..REQUESTS / STEP).map(point).collect()
}

fn svg(curves: &[(&str, &str, Vec<f64>)]) -> String {
    let x = |request: f64| MARGIN + request / REQUESTS as f64 * (WIDTH - 2.0 * MARGIN);
    let y = |ratio: f64| HEIGHT - MARGIN - (ratio.min(TOP_RATIO) - 1.0) / (TOP_RATIO - 1.0) * (HEIGHT - 2.0 * MARGIN);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    for ratio in [1.0, 1.5, 2.0, 2.5, 3.0] {
        let (left, right, at) = (x(0.0), x(REQUESTS as f64), y(ratio));
        let _ = writeln!(
            text,
            "<path d=\"M{left:.1} {at:.1}H{right:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\">{ratio:.1}</text>",
            left - 26.0,
            at + 4.0
        );
    }
    for request in (0..=REQUESTS).step_by(1000) {
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{request}</text>",
            x(request as f64),
            HEIGHT - MARGIN + 16.0
        );
    }
    let _ =
        writeln!(text, "<text x=\"{MARGIN}\" y=\"20\">expected cost until a success, against the best offer's (mean of 40 seeds)</text>");
    let _ = writeln!(text, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">requests</text>", WIDTH / 2.0, HEIGHT - 12.0);
    for (line, (label, colour, points)) in curves.iter().enumerate() {
        let at = |(n, ratio): (usize, &f64)| format!("{:.1},{:.1}", x((n as f64 + 0.5) * STEP as f64), y(*ratio));
        let path: Vec<String> = points.iter().enumerate().map(at).collect();
        let _ = writeln!(text, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>", path.join(" "));
        let _ =
            writeln!(text, "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{label}</text>", WIDTH / 2.0 - 20.0, 44.0 + 15.0 * line as f64);
    }
    text + "</svg>\n"
}
