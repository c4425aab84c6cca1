//! One suite that every transport runs, so that all of them mean the same.
//!
//! A transport's tests are one line:
//!
//! ```ignore
//! transport_conformance::tests!(MyHarness);
//! ```
//!
//! Each case becomes a test of its own, so a failure names its case. [`Faulty`] wraps a transport and delays, reorders,
//! doubles and loses what it carries, from a seed. [`Broker`] runs a real broker, and [`Proxy`] lies between it and its client.

mod broker;
pub mod delivery;
mod faulty;
mod harness;
pub mod least_privilege;
pub mod lifecycle;
pub mod network;
pub mod ordering;
pub mod pressure;
mod proxy;
pub mod recovery;
pub mod trace;

pub use broker::Broker;
pub use faulty::Faulty;
pub use harness::{Harness, number, numbered, run, until};
pub use proxy::{Proxy, Weather};

/// Makes a test of every case about brokers that come and go, for a transport that a [`Remote`](recovery::Remote) opens.
#[macro_export]
macro_rules! recovery_tests {
    ($remote:ty) => {
        $crate::tests! { $remote;
            recovery::a_broker_that_dies_is_found_again,
            recovery::a_broker_that_comes_back_empty_is_found_again,
            recovery::a_broker_that_hangs_is_noticed,
            recovery::a_broker_that_moves_behind_its_address_is_found_again,
            recovery::a_black_hole_is_noticed,
            recovery::a_reset_is_noticed,
            recovery::a_cut_in_the_middle_of_a_frame_harms_nothing,
            recovery::a_slow_link_loses_nothing,
            recovery::a_first_connection_says_why_it_fails,
            recovery::xor_is_never_wrong_while_the_broker_dies,
            recovery::xor_is_never_wrong_while_the_broker_hangs,
            recovery::a_host_that_stops_leaves_its_transport_to_the_others,
            recovery::a_host_is_started_where_another_one_has_stopped,
        }
    };
}

/// Makes a test of every case, for a transport that a [`Harness`] opens.
#[macro_export]
macro_rules! tests {
    ($harness:ty) => {
        $crate::tests! { $harness;
            delivery::an_envelope_arrives_as_it_was_sent,
            delivery::signals_requests_and_reports_find_their_address,
            delivery::an_envelope_arrives_once_if_that_is_promised,
            delivery::an_envelope_to_nobody_disturbs_nobody,
            ordering::one_sender_is_heard_in_order,
            ordering::many_senders_are_each_heard_in_order,
            ordering::what_is_sent_at_once_arrives_whole_and_in_order,
            lifecycle::what_is_sent_after_subscribing_arrives,
            lifecycle::a_dropped_inbox_gets_nothing_more,
            lifecycle::a_new_inbox_takes_the_place_of_the_old_one,
            lifecycle::clones_and_threads_share_the_transport,
            pressure::a_full_inbox_loses_nothing_silently,
            pressure::a_full_inbox_hears_each_of_many_in_order,
            pressure::a_full_inbox_does_not_block_others,
            pressure::a_full_inbox_whose_reader_goes_holds_nobody_up,
            network::xor_is_right_for_every_pattern,
            network::xor_is_right_over_a_carrier_that_delays_reorders_and_doubles,
            network::xor_is_never_wrong_over_a_carrier_that_loses,
            trace::random_networks_answer_what_the_oracle_computes,
        }
    };
    ($harness:ty; $($theme:ident :: $case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::run(|| $crate::$theme::$case::<$harness>());
            }
        )*
    };
}
