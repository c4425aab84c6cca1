//! What the drawings share: a frame for light and dark pages, and a logarithmic scale.

/// The frame of a drawing. Its colours follow the reader's preference; it has a background of its
/// own, so its text can be read on any page.
pub(crate) fn page(width: f64, height: f64, title: &str, body: &str) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{title}">
<style>
  .page {{ fill: #ffffff; stroke: #d8dee4; }}
  text {{ font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f; }}
  .title {{ font-size: 16px; font-weight: 600; }}
  .small {{ font-size: 12px; fill: #59636e; }}
  .grid {{ stroke: #e4e8ec; }}
  .link {{ stroke: #afb8c1; stroke-width: 2; }}
  .line {{ fill: none; stroke-width: 2.5; stroke-linejoin: round; }}
  .c0 {{ fill: #0969da; stroke: #0969da; }} .c1 {{ fill: #bc4c00; stroke: #bc4c00; }}
  .c2 {{ fill: #1a7f37; stroke: #1a7f37; }} .c3 {{ fill: #8250df; stroke: #8250df; }}
  text.c0, text.c1, text.c2, text.c3 {{ stroke: none; }} path.line {{ fill: none; }}
  @media (prefers-color-scheme: dark) {{
    .page {{ fill: #0d1117; stroke: #30363d; }}
    text {{ fill: #e6edf3; }}
    .small {{ fill: #9198a1; }}
    .grid {{ stroke: #21262d; }}
    .link {{ stroke: #57606a; }}
    .c0 {{ fill: #58a6ff; stroke: #58a6ff; }} .c1 {{ fill: #f0883e; stroke: #f0883e; }}
    .c2 {{ fill: #3fb950; stroke: #3fb950; }} .c3 {{ fill: #bc8cff; stroke: #bc8cff; }}
    path.line {{ fill: none; }}
  }}
</style>
<rect class="page" x="0.5" y="0.5" width="{}" height="{}" rx="8"/>
<text class="title" x="20" y="32">{title}</text>
{body}</svg>
"##,
        width - 1.0,
        height - 1.0,
    )
}

/// A logarithmic scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// The exponents of ten at both ends.
    exponents: (i32, i32),
    /// The coordinates of both ends.
    ends: (f64, f64),
}

impl Scale {
    /// Creates a scale from the power of ten below the least value to the one above the largest.
    pub(crate) fn of(values: impl Iterator<Item = f64>, ends: (f64, f64)) -> Option<Self> {
        let mut least = f64::INFINITY;
        let mut most = 0.0_f64;
        for value in values.filter(|value| *value > 0.0) {
            least = least.min(value);
            most = most.max(value);
        }
        let first = least.is_finite().then(|| least.log10().floor() as i32)?;
        let last = (most.log10().ceil() as i32).max(first + 1);
        Some(Self { exponents: (first, last), ends })
    }

    pub(crate) fn at(&self, value: f64) -> f64 {
        let first = f64::from(self.exponents.0);
        let last = f64::from(self.exponents.1);
        let share = (value.log10() - first) / (last - first);
        self.ends.0 + share * (self.ends.1 - self.ends.0)
    }

    /// Returns the powers of ten on the scale.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        (self.exponents.0..=self.exponents.1).map(|exponent| 10_f64.powi(exponent))
    }
}

/// Returns a text with the characters escaped that mean something in SVG.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Returns a time as text, in the unit that keeps it short.
pub(crate) fn time(micros: f64) -> String {
    let (value, unit) = match micros {
        short if short < 1.0 => (short * 1e3, "ns"),
        middle if middle < 1e3 => (middle, "µs"),
        long if long < 1e6 => (long / 1e3, "ms"),
        longest => (longest / 1e6, "s"),
    };
    let text = if value >= 9.95 { format!("{value:.0}") } else { format!("{value:.1}") };
    format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// Returns a count as text, in the unit that keeps it short.
pub(crate) fn count(value: f64) -> String {
    match value {
        millions if millions >= 1e6 => format!("{} M", millions / 1e6),
        thousands if thousands >= 1e3 => format!("{} k", thousands / 1e3),
        few => few.to_string(),
    }
}
