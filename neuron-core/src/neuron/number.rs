//! Numbers that may be absent.

/// A number that may be absent, in the room that the number takes: none of a neuron's is NaN, which says here that there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(f64);

impl Number {
    pub(crate) const NONE: Self = Self(f64::NAN);

    pub(crate) fn get(self) -> Option<f64> {
        (!self.0.is_nan()).then_some(self.0)
    }

    pub(crate) fn is_none(self) -> bool {
        self.0.is_nan()
    }
}

/// This number; nothing if it is NaN.
impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self(number)
    }
}

impl From<Option<f64>> for Number {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::NONE, Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_may_be_absent_takes_no_more_room() {
        assert_eq!(size_of::<Number>(), size_of::<f64>());
        for number in [None, Some(0.0), Some(-1.5), Some(f64::MAX)] {
            assert_eq!(Number::from(number).get(), number);
            assert_eq!(Number::from(number).is_none(), number.is_none());
        }
    }
}
