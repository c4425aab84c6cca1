//! The kind byte of each message: signals from 1, requests from 32, reports from 64, messages
//! between hosts from 128.

pub(super) const SUBSCRIBE: u8 = 1;
pub(super) const UNSUBSCRIBE: u8 = 2;
pub(super) const HELLO: u8 = 3;
pub(super) const CHANGED: u8 = 4;
pub(super) const NOTHING: u8 = 5;
pub(super) const PROBE: u8 = 6;
pub(super) const ACK: u8 = 7;
pub(super) const NO_STREAM: u8 = 8;
pub(super) const FENCED: u8 = 9;
pub(super) const WHERE: u8 = 10;
pub(super) const HOME: u8 = 11;

pub(super) const STIMULATE: u8 = 32;
pub(super) const RESERVE: u8 = 33;
pub(super) const COMMIT: u8 = 34;
pub(super) const OUTPUT: u8 = 35;
pub(super) const OUTPUT_AT: u8 = 36;
pub(super) const WATCH: u8 = 37;
pub(super) const UNWATCH: u8 = 38;
pub(super) const CONFIG: u8 = 39;
pub(super) const SET_WEIGHT: u8 = 40;
pub(super) const DELETE_WEIGHT: u8 = 41;
pub(super) const SET_THRESHOLD: u8 = 42;
pub(super) const CONNECT: u8 = 43;
pub(super) const DISCONNECT: u8 = 44;
pub(super) const LOG: u8 = 45;
pub(super) const EMPTY_LOG: u8 = 46;
pub(super) const COUNTERS: u8 = 47;
pub(super) const PREPARE: u8 = 48;
pub(super) const RELEASE: u8 = 49;
pub(super) const TRAIN: u8 = 50;
pub(super) const HOST: u8 = 51;
pub(super) const WATCH_HOST: u8 = 52;
pub(super) const LAST_CHANGE: u8 = 53;
pub(super) const ADMIT: u8 = 54;

pub(super) const IS_DONE: u8 = 64;
pub(super) const IS_STAMPED: u8 = 65;
pub(super) const IS_FLOOR: u8 = 66;
pub(super) const IS_OUTPUT: u8 = 67;
pub(super) const IS_CONFIG: u8 = 68;
pub(super) const IS_LOG: u8 = 69;
pub(super) const IS_COUNTERS: u8 = 70;
pub(super) const IS_REFUSED: u8 = 71;
pub(super) const WATCH_CHANGED: u8 = 72;
pub(super) const IS_WATCHED: u8 = 73;
pub(super) const IS_HOST: u8 = 74;
pub(super) const IS_WATCHED_HOST: u8 = 75;

pub(super) const HOST_ALIVE: u8 = 128;
pub(super) const HOST_GONE: u8 = 129;
pub(super) const HOST_GOODBYE: u8 = 130;
pub(super) const CLAIM: u8 = 131;
