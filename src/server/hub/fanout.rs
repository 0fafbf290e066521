//! The broadcast channels of each room. The results of a commit enter them in order: consecutive
//! messages are one batch, and a notice keeps its place between two batches.

use std::{collections::HashMap, sync::Arc};

use tokio::{sync::broadcast, task::yield_now};

use crate::server::hub::batch::Batch;
use crate::{
    protocol::{Limits, Message, RoomName},
    rooms::Notice,
};

/// The receiving end of a room's broadcast channel, as a session reads it.
pub(crate) type RoomReceiver = broadcast::Receiver<Arc<Batch>>;

/// The maximum number of readers of one channel. It is also the number of readers that are woken
/// before they may run, so that the batch is still in the processor's cache when they write it.
/// With fewer readers a channel is not faster, and a channel of [`Limits::RING`] batches takes 10
/// KB.
const READERS: usize = 64;
/// The number of readers of a room's first channel. It is short, because most rooms have few
/// people.
const FEW: usize = 4;
/// The capacity of a room's first channel, in batches. It takes less than 1 KB. A reader that falls
/// further behind is refilled from the store.
const SHORT: usize = 16;
/// If one commit has at least this many messages for a room, all its readers are woken at once.
/// More messages come meanwhile, and each reader then writes all of them together.
const LARGE_BATCH: usize = 16;
/// The broadcast channels of all rooms.
#[derive(Debug, Default)]
pub(crate) struct Fanout {
    /// The channels of each room. The first one is short, the others are long.
    rooms: HashMap<RoomName, Vec<broadcast::Sender<Arc<Batch>>>>,
    /// The pending output of each room, except for the last message or notice: the next one is
    /// usually for the same room.
    outgoing: HashMap<RoomName, RoomOutput>,
    latest: Option<(RoomName, RoomOutput)>,
}

#[derive(Debug, Default)]
struct RoomOutput {
    batches: Vec<Batch>,
    /// The number of messages.
    count: usize,
    /// The messages that are not in a batch yet, and the length of their text in bytes.
    messages: Vec<Arc<Message>>,
    text: usize,
}

impl RoomOutput {
    fn end_batch(&mut self) {
        if !self.messages.is_empty() {
            self.batches.push(Batch::messages(std::mem::take(&mut self.messages)));
            self.text = 0;
        }
    }
}

impl Fanout {
    /// Returns the number of rooms that have a channel.
    pub(crate) fn count(&self) -> usize {
        self.rooms.len()
    }

    /// Returns a receiver of everything that the room is sent from now on.
    pub(crate) fn subscribe(&mut self, room: &RoomName) -> RoomReceiver {
        let fanout = self.rooms.entry(room.clone()).or_default();
        if fanout.iter().all(|receiver| receiver.receiver_count() == 0) {
            // Many people were here and have left.
            fanout.truncate(1);
        }
        let has_place = |index: &usize| fanout[*index].receiver_count() < if *index == 0 { FEW } else { READERS };
        // Usually the last channel has room for a reader. An earlier one has room if readers have
        // left.
        let last = fanout.len().checked_sub(1).filter(has_place);
        if let Some(index) = last.or_else(|| (0..fanout.len()).find(has_place)) {
            return fanout[index].subscribe();
        }
        let (receiver, reader) = broadcast::channel(if fanout.is_empty() { SHORT } else { Limits::RING });
        fanout.push(receiver);
        reader
    }

    /// Removes the channels of the rooms for which `is_empty` returns true.
    pub(crate) fn close(&mut self, is_empty: impl Fn(&RoomName) -> bool) {
        self.rooms.retain(|room, _| !is_empty(room));
    }

    /// Adds a message to its room's batch.
    pub(crate) fn message(&mut self, message: Arc<Message>) {
        let outgoing = self.outgoing(&message.room);
        outgoing.text += message.text_len();
        outgoing.messages.push(message);
        outgoing.count += 1;
        if outgoing.text >= Limits::BATCH {
            outgoing.end_batch();
        }
    }

    /// Adds a notice after everything that was added for its room so far.
    pub(crate) fn notice(&mut self, notice: Notice) {
        let outgoing = self.outgoing(&notice.presence.room);
        outgoing.end_batch();
        outgoing.batches.push(Batch::notice(notice));
    }

    fn outgoing(&mut self, room: &RoomName) -> &mut RoomOutput {
        if self.latest.as_ref().is_none_or(|(latest, _)| latest != room) {
            self.outgoing.extend(self.latest.take());
        }
        let outgoing = &mut self.outgoing;
        let (_, latest) = self.latest.get_or_insert_with(|| (room.clone(), outgoing.remove(room).unwrap_or_default()));
        latest
    }

    /// Sends everything that was added. For fewer than [`LARGE_BATCH`] messages it lets the readers
    /// run after every [`READERS`] of them. Not cancel-safe.
    pub(crate) async fn finish(&mut self) {
        let mut woken = 0;
        self.outgoing.extend(self.latest.take());
        for (room, mut outgoing) in std::mem::take(&mut self.outgoing) {
            outgoing.end_batch();
            let Some(fanout) = self.rooms.get(&room) else { continue };
            let batches: Vec<_> = outgoing.batches.into_iter().map(Arc::new).collect();
            for receiver in fanout {
                if woken >= READERS && outgoing.count < LARGE_BATCH {
                    woken = 0;
                    yield_now().await;
                }
                for batch in &batches {
                    // An error means that the channel has no reader. The message is in the store.
                    drop(receiver.send(Arc::clone(batch)));
                }
                woken += receiver.receiver_count();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Poll};

    use futures_util::FutureExt as _;

    use super::*;
    use crate::{
        protocol::{Dialect, MessageId},
        rooms::MemberId,
        server::hub::batch::tests::message,
    };

    #[tokio::test]
    async fn a_crowd_hears_by_turns_and_each_of_them_all_in_order() {
        let mut fanout = Fanout::default();
        let mut crowd: Vec<_> = (0..FEW + 3 * READERS).map(|_| fanout.subscribe(&RoomName::lobby())).collect();
        fanout.message(message(1, "hi"));
        let presence = serde_json::from_str(r#"{"room": "lobby", "people": 2}"#).unwrap();
        fanout.notice(Notice { presence, about: None });
        fanout.message(message(2, "ho"));
        let mut finish = pin!(fanout.finish());
        for heard in [1, 2, 3].map(|fanout| FEW + fanout * READERS) {
            let is_last = heard == crowd.len();
            assert_eq!(poll_fn(|cx| Poll::Ready(finish.as_mut().poll(cx))).await.is_ready(), is_last);
            assert_eq!(crowd.iter().filter(|reader| !reader.is_empty()).count(), heard);
        }
        for reader in &mut crowd {
            let heard = [(); 3].map(|()| reader.try_recv().unwrap().last());
            assert_eq!(heard, [Some(MessageId(1)), None, Some(MessageId(2))]);
        }
    }

    #[tokio::test]
    async fn what_rooms_hear_by_turns_comes_in_order() {
        let mut fanout = Fanout::default();
        let rooms = ["lobby", "rust"].map(|room| RoomName::new(room).unwrap());
        let mut readers = rooms.each_ref().map(|room| fanout.subscribe(room));
        for id in 1..=4 {
            let message = Message { room: rooms[(id % 2) as usize].clone(), ..(*message(id, "hi")).clone() };
            fanout.message(Arc::new(message));
        }
        fanout.finish().await;
        let heard = readers.each_mut().map(|reader| {
            let batch = reader.try_recv().unwrap();
            assert!(reader.is_empty());
            (batch.unseen(Dialect::Text, MemberId::nobodys(), MessageId(0)).len(), batch.last())
        });
        assert_eq!(heard, [(2 * 9, Some(MessageId(4))), (2 * 9, Some(MessageId(3)))]);
    }

    #[test]
    fn where_much_is_said_all_hear_it_at_once() {
        let mut fanout = Fanout::default();
        let crowd: Vec<_> = (0..3 * READERS).map(|_| fanout.subscribe(&RoomName::lobby())).collect();
        (1..=LARGE_BATCH as u64).for_each(|id| fanout.message(message(id, "hi")));
        assert_eq!(fanout.finish().now_or_never(), Some(()));
        assert!(crowd.iter().all(|reader| reader.len() == 1));
    }

    #[test]
    fn a_free_place_is_taken_before_a_ring_is_made() {
        let mut fanout = Fanout::default();
        let mut crowd: Vec<_> = (0..FEW + READERS).map(|_| fanout.subscribe(&RoomName::lobby())).collect();
        for left in [0, FEW] {
            drop(crowd.remove(left));
            crowd.push(fanout.subscribe(&RoomName::lobby()));
            assert_eq!(fanout.rooms[&RoomName::lobby()].len(), 2);
        }
        crowd.push(fanout.subscribe(&RoomName::lobby()));
        assert_eq!(fanout.rooms[&RoomName::lobby()].len(), 3);
        drop(crowd);
        let _alone = fanout.subscribe(&RoomName::lobby());
        assert_eq!(fanout.rooms[&RoomName::lobby()].len(), 1, "nobody needs what a crowd needed");
    }

    #[tokio::test]
    async fn a_room_of_few_people_has_a_short_ring() {
        let mut fanout = Fanout::default();
        let mut crowd: Vec<_> = (0..=FEW).map(|_| fanout.subscribe(&RoomName::lobby())).collect();
        for id in 1..=SHORT as u64 + 1 {
            fanout.message(message(id, "hi"));
            fanout.finish().await;
        }
        let lagged =
            |reader: &mut RoomReceiver| matches!(reader.try_recv(), Err(broadcast::error::TryRecvError::Lagged(1)));
        assert!(crowd[..FEW].iter_mut().all(lagged));
        assert!(!lagged(&mut crowd[FEW]));
    }
}
