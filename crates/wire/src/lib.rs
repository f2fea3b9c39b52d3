//! MySQL's wire framing and codec, and the shape that all of porpoise's machines share.
//!
//! Three things live here, and nothing that knows a command, a plugin or a runtime:
//!
//! * [`Framer`] splits and joins packets at 0xFFFFFF bytes, keeps the sequence ids, and speaks
//!   [compressed frames](Framer::compress) (features `zlib`, `zstd`);
//! * [`Reader`] and [`Put`] read and write fixed and length-encoded integers and strings, borrowed and bounded;
//! * [`Machine`], [`Step`] and [`Cx`] are what a sans-I/O protocol machine looks like from outside.
//!
//! ```
//! use bytes::{BufMut, BytesMut};
//! use porpoise_wire::{Frame, Framer, Limits, Put, Reader};
//!
//! // A client writes COM_PING and reads the answer; the buffers stand for any socket.
//! let mut framer = Framer::new(Limits::default());
//! let mut tx = BytesMut::new();
//! framer.begin_command();
//! framer.write(&mut tx, |payload| payload.put_u8(0x0e));
//! assert_eq!(&tx[..], [1, 0, 0, 0, 0x0e]);
//!
//! let mut rx = BytesMut::from(&[7, 0, 0, 1, 0x00, 0, 0, 2, 0, 0, 0][..]);
//! assert_eq!(framer.poll(&mut rx)?, Frame::Ready);
//! let mut ok = Reader::new(framer.payload(&rx));
//! assert_eq!(ok.u8("header")?, 0x00);
//! assert_eq!(ok.lenenc_int("affected_rows")?, 0);
//! framer.consume(&mut rx);
//! assert!(rx.is_empty());
//! # Ok::<(), porpoise_wire::WireError>(())
//! ```

mod codec;
mod compress;
mod error;
mod join;
mod limits;
mod machine;
mod packet;
mod parts;
mod reader;
mod writer;
mod xframe;

pub use compress::Compression;
pub use error::WireError;
pub use limits::Limits;
pub use machine::{Cx, Lost, Machine, Step, TlsInfo};
pub use packet::{Frame, Framer, HEADER_LEN, MAX_FRAME_PAYLOAD, Mark, Run};
pub use parts::{Part, Peek};
pub use reader::Reader;
pub use writer::Put;
pub use xframe::{XFRAME_HEADER_LEN, XFramer};
