//! A number that may be absent.

/// An `f64` that may be absent, in the size of an `f64`: NaN means that it is absent.
///
/// No number of a neuron is NaN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionalF64(f64);

impl OptionalF64 {
    /// The absent number.
    pub(crate) const NONE: Self = Self(f64::NAN);

    /// Returns the number; `None` if it is absent.
    pub(crate) fn get(self) -> Option<f64> {
        (!self.0.is_nan()).then_some(self.0)
    }
}

/// Makes this number; NaN makes the absent one.
impl From<f64> for OptionalF64 {
    fn from(number: f64) -> Self {
        Self(number)
    }
}

impl From<Option<f64>> for OptionalF64 {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::NONE, Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_number_takes_no_more_room_than_a_number() {
        assert_eq!(size_of::<OptionalF64>(), size_of::<f64>());
        for number in [None, Some(0.0), Some(-1.5), Some(f64::MAX)] {
            assert_eq!(OptionalF64::from(number).get(), number);
        }
    }
}
