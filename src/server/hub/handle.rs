//! How sessions reach the one writer of the server, which is in `task`: what they ask, and what
//! they get.

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

/// A place in a room, with what one needs to follow it.
#[derive(Debug)]
pub(crate) struct RoomSubscription {
    pub(crate) room: RoomName,
    /// Whatever is told to the room from now on, and perhaps what came just before.
    pub(crate) receiver: RoomReceiver,
    /// The last message of all rooms: what is committed later has a greater id.
    pub(crate) last: MessageId,
    /// Whether the hub knows the topic of the room. Where it does not, the session reads it.
    pub(crate) knows_topic: bool,
}

/// What a session gets that came in. However the session ends, the seat is given back.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) id: MemberId,
    pub(crate) nick: Nick,
    /// Whether an earlier connection of the same person in this room has lost its place.
    pub(crate) resumed: bool,
    pub(crate) epoch: Epoch,
    pub(crate) run: Run,
    pub(crate) place: RoomSubscription,
    pub(crate) mailbox: Mailbox,
    pub(crate) leaving: Leaving,
}

/// Gives a seat back when it is dropped: so a session that panics leaves no place behind that is
/// nobody's.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// Weak, because the hub ends when nobody can ask it any more, and it has these in its hands
    /// too.
    requests: mpsc::WeakSender<Request>,
    member: MemberId,
    /// Whether it is for good, and not only until its person comes back.
    pub(crate) for_good: bool,
}

impl Leaving {
    pub(in crate::server) fn new(requests: mpsc::WeakSender<Request>, member: MemberId, for_good: bool) -> Self {
        Self { requests, member, for_good }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        // A hub that is gone has no seats.
        let Some(requests) = self.requests.upgrade() else { return };
        let Self { member, for_good, .. } = *self;
        if let Err(TrySendError::Full(request)) = requests.try_send(Request::Leave { member, for_good })
            && let Ok(runtime) = Handle::try_current()
        {
            // As many of these wait as there were connections.
            runtime.spawn(async move { drop(requests.send(request).await) });
        }
    }
}

/// The hub is gone: the server is stopping, or has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// What is asked of the hub, each with where the answer goes.
pub(in crate::server) enum Request {
    Arrive(Arrival, oneshot::Sender<Result<(Membership, RoomView), Failure>>),
    Say(MemberId, Vec<Outgoing>),
    Go(MemberId, RoomName, oneshot::Sender<(RoomSubscription, RoomView)>),
    LearnTopic(MemberId, RoomName, Option<TopicBy>),
    Rename(MemberId, Nick, oneshot::Sender<Result<(), Failure>>),
    Ask(MemberId, Ask, oneshot::Sender<ServerMessage>),
    /// Which rooms is the person in who sits there?
    Rooms(MemberId, oneshot::Sender<Vec<RoomName>>),
    /// The peer has so much of what is owed to its person and was given to this seat.
    Confirm(MemberId, u64),
    Barrier(oneshot::Sender<()>),
    Leave {
        member: MemberId,
        for_good: bool,
    },
}

/// What somebody said.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) kind: Kind,
    /// None where a topic is cleared.
    pub(crate) text: Option<Body>,
    pub(crate) key: Option<IdempotencyKey>,
}

/// A question with one event for an answer.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Tell somebody alone.
    Tell { to: To, text: Body, key: Option<IdempotencyKey> },
    /// Who is in this room?
    Names,
    /// Who is called so?
    Whois(Nick),
    /// Be away, or back.
    Away(Option<AwayText>),
    /// Which rooms are there?
    Rooms,
    /// What is this room about?
    Topic,
}

/// How sessions reach the hub. Clones reach the same one; it ends when all are dropped.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    requests: mpsc::Sender<Request>,
}

impl Hub {
    /// Returns the hub whose requests come out of the other end of `requests`.
    pub(in crate::server) fn new(requests: mpsc::Sender<Request>) -> Self {
        Self { requests }
    }

    /// Returns where requests go in.
    #[cfg(test)]
    pub(in crate::server) fn requests(&self) -> &mpsc::Sender<Request> {
        &self.requests
    }

    /// Seats somebody, and returns the room as they find it.
    pub(crate) async fn arrive(&self, arrival: Arrival) -> Result<Result<(Membership, RoomView), Failure>, Gone> {
        self.ask_with(|reply| Request::Arrive(arrival, reply)).await
    }

    /// Hands in what somebody said in a row. What becomes of it comes by the ring, or by the
    /// mailbox if it failed.
    pub(crate) async fn say(&self, member: MemberId, said: Vec<Outgoing>) -> Result<(), Gone> {
        let request = Request::Say(member, said);
        match self.requests.try_send(request) {
            Ok(()) => Ok(()),
            // A future that keeps a request is long; this one is rare.
            Err(TrySendError::Full(request)) => Box::pin(self.requests.send(request)).await.map_err(|_| Gone),
            Err(TrySendError::Closed(_)) => Err(Gone),
        }
    }

    /// Says that the peer has got so much of what is owed to its person and came by this seat's
    /// mailbox.
    pub(crate) async fn confirm(&self, member: MemberId, count: u64) -> Result<(), Gone> {
        self.requests.send(Request::Confirm(member, count)).await.map_err(|_| Gone)
    }

    /// Returns when whatever was said before is in its ring, or has failed.
    pub(crate) async fn barrier(&self) -> Result<(), Gone> {
        self.ask_with(Request::Barrier).await
    }

    /// Moves somebody to another room. What was said there before is in its ring.
    pub(crate) async fn go(&self, member: MemberId, room: RoomName) -> Result<(RoomSubscription, RoomView), Gone> {
        self.ask_with(|reply| Request::Go(member, room, reply)).await
    }

    /// Hands in what the log has of the topic of a room, read by somebody who sits there after they
    /// had their seat.
    pub(crate) async fn learn_topic(
        &self,
        member: MemberId,
        room: RoomName,
        topic: Option<TopicBy>,
    ) -> Result<(), Gone> {
        self.requests.send(Request::LearnTopic(member, room, topic)).await.map_err(|_| Gone)
    }

    /// Gives whoever sits there another nick. Each of their connections is told by its mailbox,
    /// this one too, and all of them in the same order.
    pub(crate) async fn rename(&self, member: MemberId, nick: Nick) -> Result<Result<(), Failure>, Gone> {
        self.ask_with(|reply| Request::Rename(member, nick, reply)).await
    }

    /// Asks something.
    pub(crate) async fn ask(&self, member: MemberId, ask: Ask) -> Result<ServerMessage, Gone> {
        self.ask_with(|reply| Request::Ask(member, ask, reply)).await
    }

    /// Returns the rooms that the person is in who sits there.
    pub(crate) async fn rooms_of(&self, member: MemberId) -> Result<Vec<RoomName>, Gone> {
        self.ask_with(|reply| Request::Rooms(member, reply)).await
    }

    async fn ask_with<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }
}
