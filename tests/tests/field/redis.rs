//! A Redis whose state does not come back by itself: failovers, silence, and claims of a client that gave up.
