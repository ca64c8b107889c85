//! A native visitor: loads a page of a site as a browser does, and while the page is hot carries it with others over real
//! WebRTC. The same exchange as in the browser and in the simulator decides ([`swarm`](crate::swarm)); here are its hands.
//! Made for fire drills (`flashback rehearse`) and tests. It renders nothing and runs no script.
//!
//! | file | what |
//! |---|---|
//! | `visitor`, `page` | a visit from the navigation on; what a page says to whoever loads it |
//! | `carry`, `acting`, `fetching` | the visit of a hot page: until when; what it does and hears; what comes from the site |
//! | `carried`, `way_out` | its bytes; when HTTP ranges are asked for, because swarm or socket fail (law 4) |
//! | `circle`, `link`, `sdp`, `udp` | whom it knows; one connection each, and the text and sockets that the library wants |
//! | `site`, `socket`, `meter`, `pace` | connections to the site, counted, and no faster than the visitor's own link |
//! | `line`, `window` | what waits for a neighbour, and what is on its way to it |
//! | `uplink` | how much may be on its way to all of them |
//! | `audit` | laws 2 and 3, counted beside the exchange |
//! | `rehearsal` | many visitors, arriving as a crowd does |
//! | `report` | what came of them |
//!
//! Each link has a socket and a task of its own, for the library has no way yet to share one. All of a visit ends when its
//! future is dropped: handles of links and broker say goodbye in a bounded time.
//!
//! ```no_run
//! use tower_flashback::visitor::{Settings, Visitor};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let visit = Visitor::new("http://127.0.0.1:8080/".parse()?, Settings::default()).visit().await?;
//! println!("{} objects in {:?}, {} bytes of them from neighbours", visit.objects.len(), visit.took, visit.peer);
//! # Ok(())
//! # }
//! ```

mod acting;
mod audit;
mod carried;
mod carry;
mod circle;
mod fetching;
mod line;
mod link;
mod meter;
mod pace;
mod page;
mod rehearsal;
mod report;
mod sdp;
mod settings;
mod site;
mod socket;
mod udp;
mod uplink;
#[expect(clippy::module_inception, reason = "the visitor is the idea of the folder")]
mod visitor;
mod way_out;
mod window;

pub use audit::{Arrived, Exchanged, Gauge, Sample, Talk, Visit};
pub use rehearsal::{Arrivals, Rehearsal, Running, Standing};
pub use report::{Bytes, Report, Seconds, Signals};
pub use settings::{Conduct, Settings};
pub use site::SiteError;
pub use visitor::Visitor;
