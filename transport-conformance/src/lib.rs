//! One suite that every transport runs, so that all of them mean the same.
//!
//! Each case checks one sentence of the contract of [`Transport`], as far as the transport's
//! [`Guarantees`] promise it, and becomes a test of its own, so a failure names its case.
//!
//! # Start here: a transport of your own
//! Write a [`Harness`] that opens the transport, and let [`tests!`] make the tests, in a file such
//! as `tests/conformance.rs`:
//!
//! ```
//! use std::sync::Arc;
//!
//! use neuron_core::transport::Transport;
//! use transport_conformance::Harness;
//! # use std::{collections::BTreeMap, sync::Mutex};
//! # use neuron_core::transport::{
//! #     Address, BoundedQueue, Envelope, Guarantees, Inbox, PushError, Sending, TransportError,
//! #     TransportErrorKind, async_trait,
//! # };
//! #
//! # #[derive(Debug)]
//! # struct InMemory(Mutex<BTreeMap<Address, Arc<BoundedQueue<Envelope>>>>, usize);
//! #
//! # impl InMemory {
//! #     fn with_capacity(capacity: usize) -> Self {
//! #         Self(Mutex::default(), capacity)
//! #     }
//! # }
//! #
//! # #[async_trait]
//! # impl Transport for InMemory {
//! #     fn send(&self, envelope: Envelope) -> Sending {
//! #         let queue = self.0.lock().unwrap().get(&envelope.to()).cloned();
//! #         let Some(queue) = queue else { return Sending::done(Err(TransportErrorKind::NoInbox.into())) };
//! #         match queue.push(envelope, None) {
//! #             Ok(()) => Sending::done(Ok(())),
//! #             Err(PushError::Closed) => Sending::done(Err(TransportErrorKind::NoInbox.into())),
//! #             Err(PushError::Full(envelope)) => Sending::later(async move {
//! #                 queue.push_async(envelope).await.map_err(|_| TransportErrorKind::NoInbox.into())
//! #             }),
//! #         }
//! #     }
//! #
//! #     async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
//! #         let (queue, receiver) = BoundedQueue::new(self.1, 0);
//! #         if let Some(old) = self.0.lock().unwrap().insert(at.clone(), queue) {
//! #             old.close();
//! #         }
//! #         Ok(Inbox::new(receiver))
//! #     }
//! #
//! #     fn guarantees(&self) -> Guarantees {
//! #         Guarantees::IN_PROCESS
//! #     }
//! # }
//!
//! /// `InMemory` is the example in the documentation of `Transport`.
//! struct InMemoryHarness(Arc<InMemory>);
//!
//! impl Harness for InMemoryHarness {
//!     async fn open() -> Option<Self> {
//!         Self::with_capacity(4096).await
//!     }
//!
//!     fn transport(&self) -> Arc<dyn Transport> {
//!         self.0.clone()
//!     }
//!
//!     async fn with_capacity(capacity: usize) -> Option<Self> {
//!         Some(Self(Arc::new(InMemory::with_capacity(capacity))))
//!     }
//! }
//!
//! transport_conformance::tests!(InMemoryHarness);
//! #
//! # use transport_conformance::{lifecycle, ordering, pressure, run};
//! # run(|| ordering::one_sender_is_heard_in_order::<InMemoryHarness>());
//! # run(|| lifecycle::a_new_inbox_takes_the_place_of_the_old_one::<InMemoryHarness>());
//! # run(|| pressure::a_full_inbox_loses_nothing_silently::<InMemoryHarness>());
//! ```
//!
//! A transport over a broker also runs [`recovery_tests!`], with a [`Remote`](recovery::Remote):
//! brokers that die, hang, move and come back.
//!
//! # The cases
//! - [`delivery`]: what arrives, and how often. [`ordering`]: in which order.
//! - [`lifecycle`]: inboxes that come and go. [`pressure`]: inboxes that are full. [`limits`]: what is
//!   too large.
//! - [`network`], [`ends`] and [`trace`]: whole networks, whose answers are compared with the truth
//!   table, the rules and the oracle. [`watches`], [`watch_all`] and [`hosts`]: neurons and hosts
//!   that come and go.
//! - [`twice`]: hosts that want to run the same neurons.
//! - [`strangers`] and [`hostile`]: peers that lie, as far as their credentials let them.
//! - [`recovery`] and [`least_privilege`]: for transports over brokers.
//!
//! # What a check requires
//! A carrier whose [`Guarantees`] declare no loss has to deliver everything. One that declares loss
//! ([`Harness::loses`]) has to deliver whole, in order and once what it delivers at all, to keep
//! inboxes apart, and to deliver at least one envelope in ten; the networks above it answer right,
//! or say what they lack. A check that fails names itself, the promise that is broken, what it
//! waited for and how much of that has arrived.
//!
//! # The tools
//! - [`Faulty`] wraps a transport, and delays, reorders, duplicates and loses what it carries, from
//!   a seed.
//! - [`Broker`] runs a real broker for one test. [`Proxy`] lies between a broker and its client,
//!   and passes bytes on as its [`NetworkCondition`] says. [`tls_only_server`] rejects clients that
//!   do not begin with TLS.
//!
//! [`Transport`]: neuron_core::transport::Transport
//! [`Guarantees`]: neuron_core::transport::Guarantees

mod broker;
mod carrier;
pub mod delivery;
pub mod ends;
mod faulty;
mod harness;
pub mod hostile;
pub mod hosts;
pub mod least_privilege;
pub mod lifecycle;
pub mod limits;
pub mod network;
pub mod ordering;
pub mod pressure;
mod proxy;
pub mod recovery;
pub mod strangers;
mod tls_server;
pub mod trace;
pub mod twice;
pub mod watch_all;
pub mod watches;

pub use broker::Broker;
pub use faulty::Faulty;
#[doc(hidden)]
pub use harness::run_check;
pub use harness::{Harness, number, numbered, run, until};
pub use proxy::{NetworkCondition, Proxy};
pub use tls_server::tls_only_server;

/// Makes a test of every case about brokers that come and go, for a transport that a
/// [`Remote`](recovery::Remote) opens.
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
            recovery::a_host_that_stops_in_order_is_no_loss,
            recovery::the_last_word_arrives_when_a_program_drops_its_transport_before_its_host,
            recovery::a_watch_says_what_it_lacks_while_the_broker_is_away,
            recovery::a_host_goes_on_with_its_own_neurons_while_the_broker_is_away,
            recovery::a_host_that_starts_before_its_broker_joins_when_that_comes,
            recovery::a_process_that_is_a_host,
            recovery::hosts_that_are_killed_say_nothing_wrong_and_lose_nothing,
            recovery::a_process_that_takes_part_in_a_duel,
            recovery::of_two_processes_that_start_together_one_works_wholly,
            recovery::of_two_hosts_that_could_not_hear_each_other_the_older_goes_on,
        }
    };
}

/// Makes a test of every case that holds for all transports, for one that a [`Harness`] opens.
#[macro_export]
macro_rules! tests {
    ($harness:ty) => {
        $crate::tests! { $harness;
            delivery::an_envelope_arrives_as_it_was_sent,
            delivery::signals_requests_and_reports_find_their_address,
            delivery::an_envelope_arrives_once_if_that_is_promised,
            delivery::an_envelope_without_an_inbox_disturbs_no_other_inbox,
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
            pressure::a_full_inbox_whose_receiver_goes_holds_no_sender_up,
            network::xor_is_right_for_every_pattern,
            network::xor_is_right_over_a_carrier_that_delays_reorders_and_doubles,
            network::xor_is_never_wrong_over_a_carrier_that_loses,
            ends::levels_that_cancel_each_other_out_end_together,
            ends::levels_end_together_over_a_carrier_that_delays_reorders_and_doubles,
            trace::random_networks_answer_what_the_oracle_computes,
            hosts::a_host_that_is_lost_at_rest_shows_at_all_that_listen_to_it,
            hosts::a_host_that_leaves_in_order_says_goodbye,
            twice::a_claim_reaches_every_host,
            twice::a_host_whose_neurons_run_already_is_refused,
            twice::a_neuron_that_runs_already_is_not_added,
            twice::of_hosts_that_start_at_once_one_works_wholly,
            limits::an_answer_that_is_too_large_is_refused,
            limits::a_greedy_controller_leaves_room_for_others,
            strangers::a_stranger_learns_nothing_and_changes_nothing,
            strangers::a_neuron_that_is_connected_at_run_time_may_listen,
            hostile::a_hostile_peer_harms_no_other,
            watches::a_watch_goes_on_when_its_neuron_is_started_anew,
            watches::a_sensor_that_is_silent_is_told_as_missing,
            watches::a_watch_of_a_neuron_that_comes_back_at_once_counts_what_it_may_have_missed,
            watches::a_watch_follows_a_neuron_without_a_store,
            watches::what_was_answered_shows_in_what_is_asked_afterwards,
            watch_all::all_neurons_are_told_and_a_host_that_is_started_anew_goes_on,
            watch_all::the_neurons_of_a_host_that_is_cut_off_are_missing_until_it_is_back,
            watch_all::changes_whose_reports_are_lost_are_told_or_counted,
            watch_all::a_neuron_that_is_added_appears_and_one_that_is_removed_ends,
        }
    };
    ($harness:ty; $($theme:ident :: $case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::run_check(concat!(stringify!($theme), "::", stringify!($case)), || {
                    $crate::$theme::$case::<$harness>()
                });
            }
        )*
    };
}
