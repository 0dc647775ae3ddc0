use alloc::vec::Vec;
use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

use super::MemoryStoreError;
use crate::{
    UnixTime,
    dedup::{DeliveryId, Record},
};

/// Records by id, and chained in the order in which they will be over.
///
/// Records of one kind are over in the order in which they were made, where their durations are
/// the same. Where they are not, one may take up room for longer than it counts.
pub(super) struct Table {
    capacity: usize,
    places: HashMap<DeliveryId, Place, BuildHasherDefault<IdHasher>>,
    slots: Vec<Slot>,
    in_flight: Chain,
    acknowledged: Chain,
    free: Chain,
}

/// The index of a slot.
type Place = u32;

/// No slot.
const NOWHERE: Place = Place::MAX;

struct Slot {
    id: DeliveryId,
    record: Option<Record>,
    previous: Place,
    next: Place,
}

/// The ends of a doubly linked list of slots.
struct Chain {
    first: Place,
    last: Place,
}

impl Table {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.min(NOWHERE as usize),
            places: HashMap::default(),
            slots: Vec::new(),
            in_flight: Chain::EMPTY,
            acknowledged: Chain::EMPTY,
            free: Chain::EMPTY,
        }
    }

    /// Changes the record of a delivery by a rule.
    pub(super) fn update<T>(
        &mut self,
        id: DeliveryId,
        rule: impl FnOnce(&mut Option<Record>) -> T,
    ) -> Result<T, MemoryStoreError> {
        let place = self.places.get(&id).copied();
        let old = place.and_then(|place| self.slot(place)?.record);
        let mut new = old;
        let answer = rule(&mut new);
        match (place, new) {
            (Some(place), Some(_)) if new != old => self.set(place, new),
            (Some(place), None) => self.remove(place),
            (None, Some(_)) => self.insert(id, new)?,
            (Some(_), Some(_)) | (None, None) => {}
        }
        Ok(answer)
    }

    /// Drops up to two records of each kind that are over. New ones come one at a time, so that
    /// none is left for long.
    pub(super) fn drop_expired(&mut self, now: UnixTime) {
        for turn in 0..4 {
            let first = match turn % 2 {
                0 => self.in_flight.first,
                _ => self.acknowledged.first,
            };
            let record = self.slot(first).and_then(|slot| slot.record);
            if record.is_some_and(|record| record.until() <= now) {
                self.remove(first);
            }
        }
    }

    fn insert(&mut self, id: DeliveryId, record: Option<Record>) -> Result<(), MemoryStoreError> {
        if self.places.len() >= self.capacity {
            return Err(MemoryStoreError::Full);
        }
        if self.free.first == NOWHERE {
            let place = Place::try_from(self.slots.len()).map_err(|_| MemoryStoreError::Full)?;
            self.slots.push(Slot {
                id,
                record: None,
                previous: NOWHERE,
                next: NOWHERE,
            });
            self.link(place);
        }
        let place = self.free.first;
        if let Some(slot) = self.slot(place) {
            slot.id = id;
        }
        self.places.insert(id, place);
        self.set(place, record);
        Ok(())
    }

    fn remove(&mut self, place: Place) {
        if let Some(slot) = self.slot(place) {
            let id = slot.id;
            self.places.remove(&id);
            self.set(place, None);
        }
    }

    /// Moves a slot to the end of the chain that its new record belongs to.
    fn set(&mut self, place: Place, record: Option<Record>) {
        self.unlink(place);
        if let Some(slot) = self.slot(place) {
            slot.record = record;
        }
        self.link(place);
    }

    fn unlink(&mut self, place: Place) {
        let Some(slot) = self.slot(place) else { return };
        let (record, previous, next) = (slot.record, slot.previous, slot.next);
        match self.slot(previous) {
            Some(previous) => previous.next = next,
            None => self.chain(record).first = next,
        }
        match self.slot(next) {
            Some(next) => next.previous = previous,
            None => self.chain(record).last = previous,
        }
    }

    fn link(&mut self, place: Place) {
        let Some(slot) = self.slot(place) else { return };
        let record = slot.record;
        let chain = self.chain(record);
        let last = core::mem::replace(&mut chain.last, place);
        if let Some(slot) = self.slot(place) {
            slot.previous = last;
            slot.next = NOWHERE;
        }
        match self.slot(last) {
            Some(last) => last.next = place,
            None => self.chain(record).first = place,
        }
    }

    fn slot(&mut self, place: Place) -> Option<&mut Slot> {
        self.slots.get_mut(place as usize)
    }

    fn chain(&mut self, record: Option<Record>) -> &mut Chain {
        match record {
            None => &mut self.free,
            Some(Record::InFlight { .. }) => &mut self.in_flight,
            Some(Record::Acknowledged { .. }) => &mut self.acknowledged,
        }
    }
}

impl Chain {
    const EMPTY: Self = Self {
        first: NOWHERE,
        last: NOWHERE,
    };
}

/// Takes the first bytes of an id for its hash: they are a hash already, of verified bytes.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(bytes) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*bytes);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
