//! Two samples of times, and whether they differ.

const MICROSECOND: f64 = 1_000.0;

/// In microseconds.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut samples = samples.to_vec();
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN) / MICROSECOND
}

/// The difference of medians, Welch's t of all but the slowest 5 per cent, Mann-Whitney's z, and the area under the curve: how
/// often a single sample of the one takes longer than one of the other. Above 4.5 either way, the two are told apart by so many
/// samples; an area of 0.5 tells nothing.
pub(crate) fn compare(one: &[f64], other: &[f64]) -> String {
    let (t, (z, area)) = (welch(&trimmed(one), &trimmed(other)), mann_whitney(one, other));
    format!("{:+.2} | {t:+.1} | {z:+.1} | {area:.3}", median(one) - median(other))
}

/// A scheduler that came between says nothing about the work.
fn trimmed(samples: &[f64]) -> Vec<f64> {
    let mut samples = samples.to_vec();
    samples.sort_by(f64::total_cmp);
    samples.truncate(samples.len() * 95 / 100);
    samples
}

fn welch(one: &[f64], other: &[f64]) -> f64 {
    let moments = |samples: &[f64]| {
        let count = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / count;
        let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let (one, other) = (moments(one), moments(other));
    (one.0 - other.0) / (one.1 + other.1).sqrt()
}

/// z by the normal approximation, and the area; ties are rare in nanoseconds.
fn mann_whitney(one: &[f64], other: &[f64]) -> (f64, f64) {
    let mut all: Vec<(f64, bool)> = one.iter().map(|sample| (*sample, true)).collect();
    all.extend(other.iter().map(|sample| (*sample, false)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ranks = all.iter().zip(1_u64..).filter(|((_, first), _)| *first).map(|(_, rank)| rank as f64);
    let (n, m) = (one.len() as f64, other.len() as f64);
    let u = ranks.sum::<f64>() - n * (n + 1.0) / 2.0;
    ((u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt(), u / (n * m))
}
