use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use http_body_util::BodyExt;

use super::*;

/// A body of these frames, and then an error if there is one.
struct Frames {
    frames: VecDeque<Frame<Bytes>>,
    error: Option<&'static str>,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(
            self.frames
                .pop_front()
                .map(Ok)
                .or_else(|| self.error.take().map(Err)),
        )
    }
}

type Told = Arc<Mutex<Vec<Outcome>>>;

fn injected(
    chunks: &[&'static str],
    trailers: bool,
    error: Option<&'static str>,
) -> (Injected<Frames>, Told) {
    let mut frames: VecDeque<_> = chunks
        .iter()
        .map(|chunk| Frame::data(Bytes::from_static(chunk.as_bytes())))
        .collect();
    if trailers {
        let mut trailers = HeaderMap::new();
        trailers.insert("server-timing", http::HeaderValue::from_static("x"));
        frames.push_back(Frame::trailers(trailers));
    }
    let told = Told::default();
    let listener = Arc::clone(&told);
    let plan = Plan {
        snippet: "[snippet]".into(),
        page: "https://site.example/".parse().expect("a URL"),
        carried: None,
        encoding: Some(lol_html::AsciiCompatibleEncoding::utf_8()),
    };
    let body = Injected::new(Frames { frames, error }, plan, move |outcome| {
        listener.lock().expect("not poisoned").push(outcome);
    });
    (body, told)
}

fn told(told: &Told) -> Vec<Outcome> {
    told.lock().expect("not poisoned").clone()
}

#[tokio::test]
async fn trailers_come_last() {
    let (body, outcomes) = injected(&["<head><p", "", ">text<im"], true, None);
    let collected = body.collect().await.expect("has no error");
    assert_eq!(collected.trailers().map(HeaderMap::len), Some(1));
    assert_eq!(collected.to_bytes(), "<head>[snippet]<p>text<im");
    assert_eq!(
        told(&outcomes),
        [Outcome {
            injected: true,
            ..Outcome::default()
        }]
    );
}

#[tokio::test]
async fn an_error_comes_after_all_that_came_before_it() {
    let (mut body, outcomes) = injected(&["<head>text<im"], false, Some("origin died"));
    let mut text = Vec::new();
    let error = loop {
        match body.frame().await.expect("has not ended") {
            Ok(frame) => text.extend(frame.into_data().expect("is data")),
            Err(error) => break error,
        }
    };
    assert_eq!(
        (text.as_slice(), error),
        (&b"<head>[snippet]text<im"[..], "origin died")
    );
    assert!(body.frame().await.is_none());
    assert_eq!(told(&outcomes).len(), 1);
}

#[tokio::test]
async fn a_body_that_is_dropped_has_told_what_it_knew() {
    let (mut body, outcomes) = injected(&["<head><img src=/a.jpg>", "<img src=/b.jpg>"], false, None);
    assert!(body.frame().await.is_some());
    drop(body);
    let references = vec!["/a.jpg".to_owned()];
    assert_eq!(
        told(&outcomes),
        [Outcome {
            injected: true,
            references,
            fault: None
        }]
    );
}

#[tokio::test]
async fn its_end_is_known_when_it_is_reached() {
    let (mut body, _) = injected(&["<head>"], false, None);
    assert!(!body.is_end_stream());
    while body.frame().await.is_some() {}
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
}

#[tokio::test]
async fn an_empty_body_stays_empty() {
    let (body, outcomes) = injected(&[], false, None);
    assert!(body.collect().await.expect("has no error").to_bytes().is_empty());
    assert_eq!(
        told(&outcomes),
        [Outcome {
            fault: Some(crate::layer::inject::Fault::Empty),
            ..Outcome::default()
        }]
    );
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Injected<Frames>>();
};
