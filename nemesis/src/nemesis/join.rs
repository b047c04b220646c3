//! Waiting for several futures at once, in their order.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Waits for all of them; their results in the order given.
pub(super) async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut open: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = open.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, result) in open.iter_mut().zip(&mut done) {
            if result.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        match done.iter().all(Option::is_some) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// Waits for the first of some futures; gives its place and what it gave. For
/// ever, if there are none.
pub(super) async fn first<F: Future>(futures: impl IntoIterator<Item = F>) -> (usize, F::Output) {
    let mut waiting: Vec<_> = futures.into_iter().map(Box::pin).collect();
    poll_fn(move |context| {
        for (place, future) in waiting.iter_mut().enumerate() {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready((place, output));
            }
        }
        Poll::Pending
    })
    .await
}
