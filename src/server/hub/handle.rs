//! The sessions' side of the hub: the requests that they send to its task, and the answers that
//! they receive. The task itself is in `task`.

use tokio::{
    runtime::Handle,
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
};

use crate::server::{hub::fanout::RoomReceiver, hub::mailbox::Mailbox};
use crate::{
    protocol::{
        AwayText, Body, Epoch, Failure, IdempotencyKey, Kind, MessageId, Nick, RoomName, RoomView, Run, ServerMessage,
        TopicBy,
    },
    rooms::{Arrival, MemberId, To},
};

/// A subscription to one room, with what a session needs to follow it.
#[derive(Debug)]
pub(crate) struct RoomSubscription {
    pub(crate) room: RoomName,
    /// Everything that the room is sent from now on, and possibly what came just before.
    pub(crate) receiver: RoomReceiver,
    /// The id of the last message in any room. A message that is committed later has a greater id.
    pub(crate) last: MessageId,
    /// Whether the hub knows the topic of the room. If it does not, the session reads the topic
    /// from the store.
    pub(crate) knows_topic: bool,
}

/// What a session gets when it has joined. The membership is given back when the session ends,
/// however it ends.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) id: MemberId,
    pub(crate) nick: Nick,
    /// Whether this connection replaced an earlier one of the same person in this room.
    pub(crate) resumed: bool,
    pub(crate) epoch: Epoch,
    pub(crate) run: Run,
    pub(crate) place: RoomSubscription,
    pub(crate) mailbox: Mailbox,
    pub(crate) leaving: Leaving,
}

/// Gives a membership back when it is dropped. So a session that panics leaves no membership
/// behind.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// Weak, because the hub ends when all strong senders are dropped, and the hub itself holds
    /// values of this type in its queue.
    requests: mpsc::WeakSender<Request>,
    member: MemberId,
    /// Whether the person leaves at once, without a grace to come back.
    pub(crate) for_good: bool,
}

impl Leaving {
    pub(in crate::server) fn new(requests: mpsc::WeakSender<Request>, member: MemberId, for_good: bool) -> Self {
        Self { requests, member, for_good }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        // If the hub has ended, there are no memberships.
        let Some(requests) = self.requests.upgrade() else { return };
        let Self { member, for_good, .. } = *self;
        if let Err(TrySendError::Full(request)) = requests.try_send(Request::Leave { member, for_good })
            && let Ok(runtime) = Handle::try_current()
        {
            // The number of these tasks is bounded by the number of connections.
            runtime.spawn(async move { drop(requests.send(request).await) });
        }
    }
}

/// The hub has ended: the server is stopping, or has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// A request to the hub, with the sender for its answer.
pub(in crate::server) enum Request {
    Arrive(Arrival, oneshot::Sender<Result<(Membership, RoomView), Failure>>),
    Say(MemberId, Vec<Outgoing>),
    Go(MemberId, RoomName, oneshot::Sender<(RoomSubscription, RoomView)>),
    LearnTopic(MemberId, RoomName, Option<TopicBy>),
    Rename(MemberId, Nick, oneshot::Sender<Result<(), Failure>>),
    Ask(MemberId, Ask, oneshot::Sender<ServerMessage>),
    /// Asks for the rooms of this member's person.
    Rooms(MemberId, oneshot::Sender<Vec<RoomName>>),
    /// The peer has received this many of the events that are owed to its person and were given to
    /// this member.
    Confirm(MemberId, u64),
    Barrier(oneshot::Sender<()>),
    Leave {
        member: MemberId,
        for_good: bool,
    },
}

/// A message as a session hands it in.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) kind: Kind,
    /// `None` clears a topic.
    pub(crate) text: Option<Body>,
    pub(crate) key: Option<IdempotencyKey>,
}

/// A request that is answered with one event.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Sends a private message.
    Tell { to: To, text: Body, key: Option<IdempotencyKey> },
    /// Asks who is in this room.
    Names,
    /// Asks about the person with this nick.
    Whois(Nick),
    /// Marks the person as away, or as back.
    Away(Option<AwayText>),
    /// Asks for the list of rooms.
    Rooms,
    /// Asks for the topic of this room.
    Topic,
}

/// The handle with which sessions reach the hub. All clones reach the same hub, which ends when all
/// of them are dropped.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    requests: mpsc::Sender<Request>,
}

impl Hub {
    /// Returns a handle to the hub that receives from the other end of `requests`.
    pub(in crate::server) fn new(requests: mpsc::Sender<Request>) -> Self {
        Self { requests }
    }

    /// Returns the sender of requests.
    #[cfg(test)]
    pub(in crate::server) fn requests(&self) -> &mpsc::Sender<Request> {
        &self.requests
    }

    /// Joins a room, and returns the membership and the state of the room.
    pub(crate) async fn arrive(&self, arrival: Arrival) -> Result<Result<(Membership, RoomView), Failure>, Gone> {
        self.ask_with(|reply| Request::Arrive(arrival, reply)).await
    }

    /// Hands in messages that a peer sent in a row. The outcome comes through the room's channel,
    /// or through the mailbox if they could not be stored.
    pub(crate) async fn say(&self, member: MemberId, said: Vec<Outgoing>) -> Result<(), Gone> {
        let request = Request::Say(member, said);
        match self.requests.try_send(request) {
            Ok(()) => Ok(()),
            // Boxed, because a future that keeps a request is large and this case is rare.
            Err(TrySendError::Full(request)) => Box::pin(self.requests.send(request)).await.map_err(|_| Gone),
            Err(TrySendError::Closed(_)) => Err(Gone),
        }
    }

    /// Reports that the peer has received this many of the events that are owed to its person and
    /// came through this member's mailbox.
    pub(crate) async fn confirm(&self, member: MemberId, count: u64) -> Result<(), Gone> {
        self.requests.send(Request::Confirm(member, count)).await.map_err(|_| Gone)
    }

    /// Returns when every earlier message is in its room's channel, or has failed.
    pub(crate) async fn barrier(&self) -> Result<(), Gone> {
        self.ask_with(Request::Barrier).await
    }

    /// Moves a member to another room. Its earlier messages are in the channel of the old room by
    /// then.
    pub(crate) async fn go(&self, member: MemberId, room: RoomName) -> Result<(RoomSubscription, RoomView), Gone> {
        self.ask_with(|reply| Request::Go(member, room, reply)).await
    }

    /// Hands in the topic of a room that a session has read from the store. It must be read after
    /// the session joined the room.
    pub(crate) async fn learn_topic(
        &self,
        member: MemberId,
        room: RoomName,
        topic: Option<TopicBy>,
    ) -> Result<(), Gone> {
        self.requests.send(Request::LearnTopic(member, room, topic)).await.map_err(|_| Gone)
    }

    /// Changes the nick of a member's person. Each connection of that person, including this one,
    /// is told through its mailbox, and all of them in the same order.
    pub(crate) async fn rename(&self, member: MemberId, nick: Nick) -> Result<Result<(), Failure>, Gone> {
        self.ask_with(|reply| Request::Rename(member, nick, reply)).await
    }

    /// Sends a request that is answered with one event.
    pub(crate) async fn ask(&self, member: MemberId, ask: Ask) -> Result<ServerMessage, Gone> {
        self.ask_with(|reply| Request::Ask(member, ask, reply)).await
    }

    /// Returns the rooms that the member's person is in.
    pub(crate) async fn rooms_of(&self, member: MemberId) -> Result<Vec<RoomName>, Gone> {
        self.ask_with(|reply| Request::Rooms(member, reply)).await
    }

    async fn ask_with<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }
}
