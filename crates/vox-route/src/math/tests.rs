use super::*;

fn near(ours: f64, theirs: f64, share: f64) {
    assert!((ours - theirs).abs() <= share * theirs.abs().max(1e-300), "{ours} against {theirs}");
}

#[test]
fn powers_and_logarithms_agree_with_the_system() {
    for step in -2000..2000 {
        let x = f64::from(step) * 0.0137;
        near(exp2(x), x.exp2(), 1e-14);
        near(exp(x), x.exp(), 1e-13);
        near(ln(x.exp()), x, 1e-13 / x.abs().clamp(1e-3, 1.0));
        if x.abs() < 20.0 {
            near(f64::from(exp_fast(x as f32)), f64::from((x as f32).exp()), 1e-5);
        }
    }
    assert_eq!((exp2(0.0), exp2(-1.0), ln(1.0)), (1.0, 0.5, 0.0));
}

#[test]
fn quantiles_of_the_normal_distribution() {
    for (share, point) in [(0.5, 0.0), (0.1, -1.281_551_565_544_6), (0.975, 1.959_963_984_540_05), (1e-4, -3.719_016_485_455_68)] {
        assert!((normal_quantile(share) - point).abs() < 1e-9, "{share}: {}", normal_quantile(share));
    }
}

/// Against closed forms: ψ(1) = −γ, ψ′(1) = π²/6, and the recurrence for other whole numbers.
#[test]
fn moments_of_log_odds() {
    let (mean, deviation) = log_odds(1.0, 1.0);
    assert!(mean.abs() < 1e-12 && (deviation * deviation - std::f64::consts::PI.powi(2) / 3.0).abs() < 1e-5, "{deviation}");
    let (mean, _) = log_odds(4.0, 1.0);
    assert!((mean - (1.0 + 1.0 / 2.0 + 1.0 / 3.0)).abs() < 1e-5, "{mean}");
    let (mean, deviation) = log_odds(90.0, 10.0);
    assert!((mean - 2.24).abs() < 0.02 && (deviation - 0.34).abs() < 0.01, "{mean} {deviation}");
}
