//! The wire against `tests/vectors/`, which the TypeScript client reads too: `docs/protocol.md` is their manual.
#![allow(clippy::unwrap_used)]

use std::{net::IpAddr, sync::LazyLock};

use bytes::Bytes;
use proptest::{prelude::*, sample::Index};
use serde_json::Value;
use smallvec::SmallVec;
use tower_flashback::{
    broker::{
        RoomId,
        signal::{Body, Chunk, FromBroker, FromVisitor, Outcome, Report, Spare},
    },
    content::Digest,
    swarm::{
        Candidate, Identity, Message, PeerFault, Ranges,
        candidate::{Host, Kind},
        message::{Ask, Block, Cancel, Digests, Have, Hello, Lack, Meet, Proof, Relayed, Seek, Signal},
    },
};

#[test]
fn neighbours_speak_as_the_vectors_say() {
    for vector in vectors(include_str!("vectors/messages.json")) {
        let decode = |bytes| Message::decode_all(Bytes::from(bytes)).map(SmallVec::into_vec);
        let read = |value: &Value| match value {
            Value::Array(several) => several.iter().map(message).collect(),
            one => vec![message(one)],
        };
        check(&vector, decode, read, |messages| {
            messages.iter().flat_map(Message::encode).collect()
        });
    }
}

#[test]
fn visitors_and_broker_speak_as_the_vectors_say() {
    for vector in vectors(include_str!("vectors/signal.json")) {
        match text(&vector["from"]) {
            "visitor" => check(
                &vector,
                |bytes| FromVisitor::decode(&bytes),
                from_visitor,
                FromVisitor::encode,
            ),
            "broker" => check(
                &vector,
                |bytes| FromBroker::decode(&bytes),
                from_broker,
                FromBroker::encode,
            ),
            other => panic!("nobody called {other} speaks"),
        }
    }
}

#[test]
fn held_ranges_are_as_the_vectors_say() {
    for vector in vectors(include_str!("vectors/ranges.json")) {
        let name = text(&vector["name"]);
        if vector.get("steps").is_none() {
            let (left, right) = (ranges(&vector["left"]), ranges(&vector["right"]));
            assert_eq!(left.subtract(&right), ranges(&vector["subtract"]), "{name}");
            assert_eq!(left.intersect(&right), ranges(&vector["intersect"]), "{name}");
            continue;
        }
        let mut set = Ranges::new();
        for step in list(&vector["steps"]) {
            let range = word(&step[1])..word(&step[2]);
            match text(&step[0]) {
                "insert" => set.insert(range),
                _ => set.remove(range),
            }
        }
        let runs: Vec<_> = list(&vector["runs"])
            .iter()
            .map(|run| word(&run[0])..word(&run[1]))
            .collect();
        assert_eq!(set.runs().collect::<Vec<_>>(), runs, "{name}");
        assert_eq!(Some(set.count()), vector["count"].as_u64(), "{name}");
        let have = Message::Have(Have {
            credit: 0,
            ranges: set,
        });
        assert_eq!(have.encode()[2..], wire(&vector), "{name}");
    }
}

#[test]
fn every_fault_of_form_is_shown_by_a_vector() {
    let shown: Vec<_> = [
        include_str!("vectors/messages.json"),
        include_str!("vectors/signal.json"),
    ]
    .into_iter()
    .flat_map(vectors)
    .filter_map(|vector| vector["fault"].as_str().map(str::to_owned))
    .collect();
    for fault in PeerFault::ALL
        .into_iter()
        .filter(|fault| fault.number() < PeerFault::Room.number())
    {
        assert!(
            shown.iter().any(|name| name == fault.as_str()),
            "no vector shows {fault:?}"
        );
    }
}

proptest! {
    /// Whatever a stranger makes of a message, it is refused, or it is a message that would be written just so.
    #[test]
    fn what_is_read_would_be_written_just_so(pick: Index, edits in prop::collection::vec(edit(), 0..6)) {
        let mut bytes = wire(pick.get(well_formed()));
        edits.iter().for_each(|edit| edit.apply(&mut bytes));
        if let Ok(messages) = Message::decode_all(Bytes::from(bytes.clone())) {
            prop_assert_eq!(messages.iter().flat_map(Message::encode).collect::<Vec<_>>(), &bytes[..]);
        }
        if let Ok(message) = FromVisitor::decode(&bytes) {
            prop_assert_eq!(message.encode(), &bytes[..]);
        }
        if let Ok(message) = FromBroker::decode(&bytes) {
            prop_assert_eq!(message.encode(), &bytes[..]);
        }
    }
}

/// One change to the bytes of a message.
#[derive(Clone, Debug)]
enum Edit {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |index: &Index, bytes: &[u8]| index.index(bytes.len() + 1);
        match self {
            Self::Set(index, value) => {
                let at = index.index(bytes.len().clamp(1, 64));
                bytes.get_mut(at).into_iter().for_each(|byte| *byte = *value);
            }
            Self::Insert(index, value) => bytes.insert(at(index, bytes), *value),
            Self::Remove(index) if !bytes.is_empty() => drop(bytes.remove(index.index(bytes.len()))),
            Self::Remove(_) => {}
            Self::Cut(index) => bytes.truncate(at(index, bytes)),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    // Small values are types, kinds, counts and shapes: they reach further into the form than random ones.
    let value = || prop_oneof![0..8_u8, any::<u8>()];
    prop_oneof![
        4 => (any::<Index>(), value()).prop_map(|(index, value)| Edit::Set(index, value)),
        2 => (any::<Index>(), value()).prop_map(|(index, value)| Edit::Insert(index, value)),
        2 => any::<Index>().prop_map(Edit::Remove),
        1 => any::<Index>().prop_map(Edit::Cut),
    ]
}

fn well_formed() -> &'static [Value] {
    static WELL_FORMED: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let all = [
            include_str!("vectors/messages.json"),
            include_str!("vectors/signal.json"),
        ];
        all.into_iter()
            .flat_map(vectors)
            .filter(|vector| vector.get("fault").is_none())
            .collect()
    });
    &WELL_FORMED
}

fn check<M: PartialEq + std::fmt::Debug>(
    vector: &Value,
    decode: impl Fn(Vec<u8>) -> Result<M, PeerFault>,
    read: impl Fn(&Value) -> M,
    encode: impl Fn(&M) -> Vec<u8>,
) {
    let (name, bytes) = (text(&vector["name"]), wire(vector));
    if let Some(fault) = vector["fault"].as_str() {
        assert_eq!(decode(bytes).map_err(PeerFault::as_str), Err(fault), "{name}");
        return;
    }
    let message = read(&vector["message"]);
    assert_eq!(encode(&message), bytes, "{name}");
    assert_eq!(decode(bytes).as_ref(), Ok(&message), "{name}");
}

fn message(value: &Value) -> Message {
    let (credit, chunk, block) = (
        || byte(&value["credit"]),
        || word(&value["chunk"]),
        || byte(&value["block"]),
    );
    match text(&value["type"]) {
        "hello" => Message::Hello(Hello {
            room: RoomId(array(&value["room"])),
            id: word(&value["id"]),
        }),
        "have" => Message::Have(Have {
            credit: credit(),
            ranges: ranges(&value["ranges"]),
        }),
        "ask" => Message::Ask(Ask {
            credit: credit(),
            chunk: chunk(),
            block: block(),
        }),
        "cancel" => Message::Cancel(Cancel { chunk: chunk() }),
        "proof" => Message::Proof(Proof {
            chunk: chunk(),
            digests: digests(&value["digests"]),
        }),
        "block" => Message::Block(Block {
            credit: credit(),
            chunk: chunk(),
            block: block(),
            bytes: unhex(text(&value["bytes"])).into(),
        }),
        "lack" => Message::Lack(Lack { chunk: chunk() }),
        "seek" => Message::Seek(Seek {
            count: byte(&value["count"]),
            known: list(&value["known"]).iter().map(word).collect(),
        }),
        "meet" => Message::Meet(Meet {
            visitor: word(&value["visitor"]),
            gives: value["gives"].as_bool().unwrap(),
        }),
        "signal" => Message::Signal(Signal {
            to: word(&value["to"]),
            body: body(&value["body"]),
        }),
        "relayed" => Message::Relayed(Relayed {
            from: word(&value["from"]),
            body: body(&value["body"]),
        }),
        "learn" => Message::Learn,
        "digests" => Message::Digests(Digests {
            chunk: chunk(),
            digests: digests(&value["digests"]),
        }),
        other => panic!("no message is called {other}"),
    }
}

fn digests(value: &Value) -> Vec<Digest> {
    list(value).iter().map(|digest| Digest(array(digest))).collect()
}

fn from_visitor(value: &Value) -> FromVisitor {
    let visitor = || word(&value["visitor"]);
    match text(&value["type"]) {
        "join" => FromVisitor::Join {
            token: array(&value["token"]),
        },
        "signal" => FromVisitor::Signal {
            to: word(&value["to"]),
            body: body(&value["body"]),
        },
        "need" => FromVisitor::Need {
            count: byte(&value["count"]),
        },
        "accuse" => FromVisitor::Accuse {
            visitor: visitor(),
            fault: fault(text(&value["fault"])),
        },
        "report" => FromVisitor::Report(Report {
            origin: value["origin"].as_u64().unwrap(),
            peer: value["peer"].as_u64().unwrap(),
            given: value["given"].as_u64().unwrap(),
            links: byte(&value["links"]),
        }),
        "linked" => FromVisitor::Linked {
            visitor: visitor(),
            outcome: match text(&value["outcome"]) {
                "open" => Outcome::Open,
                "failed" => Outcome::Failed,
                other => panic!("no outcome is called {other}"),
            },
            milliseconds: value["milliseconds"].as_u64().unwrap().try_into().unwrap(),
        },
        "spare" => FromVisitor::Spare(Spare {
            chunks: list(&value["chunks"]).iter().map(word).collect(),
        }),
        other => panic!("no message is called {other}"),
    }
}

fn from_broker(value: &Value) -> FromBroker {
    match text(&value["type"]) {
        "welcome" => FromBroker::Welcome {
            id: word(&value["id"]),
            others: value["others"].as_u64().unwrap().try_into().unwrap(),
        },
        "meet" => FromBroker::Meet {
            visitor: word(&value["visitor"]),
        },
        "signal" => FromBroker::Signal {
            from: word(&value["from"]),
            body: body(&value["body"]),
        },
        "gone" => FromBroker::Gone {
            visitor: word(&value["visitor"]),
        },
        "calm" => FromBroker::Calm,
        "chunk" => FromBroker::Chunk(Chunk {
            chunk: word(&value["chunk"]),
            bytes: unhex(text(&value["bytes"])).into(),
        }),
        "sponsor" => FromBroker::Sponsor {
            visitor: word(&value["visitor"]),
        },
        other => panic!("no message is called {other}"),
    }
}

fn body(value: &Value) -> Body {
    if let Some(identity) = value.get("identity") {
        let fingerprint = array(&identity["fingerprint"]);
        return Body::Identity(
            Identity::new(text(&identity["ufrag"]), text(&identity["pwd"]), fingerprint).unwrap(),
        );
    }
    let candidate = &value["candidate"];
    Body::Candidate(Candidate {
        kind: match text(&candidate["kind"]) {
            "host" => Kind::Host,
            "reflexive" => Kind::Reflexive,
            other => panic!("no kind is called {other}"),
        },
        priority: word(&candidate["priority"]),
        host: match &candidate["address"] {
            Value::String(address) => Host::Address(address.parse::<IpAddr>().unwrap()),
            mdns => Host::Mdns(array(&mdns["mdns"])),
        },
        port: candidate["port"].as_u64().unwrap().try_into().unwrap(),
    })
}

fn fault(name: &str) -> PeerFault {
    PeerFault::ALL
        .into_iter()
        .find(|fault| fault.as_str() == name)
        .unwrap()
}

fn ranges(value: &Value) -> Ranges {
    list(value)
        .iter()
        .map(|range| word(&range[0])..word(&range[1]))
        .collect()
}

fn vectors(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn wire(vector: &Value) -> Vec<u8> {
    let mut bytes = unhex(text(&vector["hex"]));
    if let Some(repeat) = vector.get("repeat") {
        bytes.extend(unhex(text(&repeat[0])).repeat(repeat[1].as_u64().unwrap() as usize));
    }
    bytes
}

fn unhex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2));
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    unhex(text(value)).try_into().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn word(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn byte(value: &Value) -> u8 {
    value.as_u64().unwrap().try_into().unwrap()
}
