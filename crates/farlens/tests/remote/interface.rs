//! What an interface says of itself.

use crate::probe::ProbeRef;
use farlens::schema::{SchemaDoc, Shape, Type};

#[test]
fn an_interface_describes_itself() {
    let doc = SchemaDoc::of::<ProbeRef>();
    assert_eq!(
        doc.to_string().split("\n}").next().unwrap(),
        "interface Probe {\n  \
           calibrate(n: u32) -> f64\n  \
           watch(cb: Alarm) -> ()\n  \
           dataset(name: text) -> Result\n  \
           poses(hz: u16) -> stream Pose\n  \
           untyped() -> stream any\n  \
           sum(items: stream u64) -> u64\n  \
           note(text: text)\n  \
           notes() -> [text]\n  \
           version() -> u32\n  \
           stuck() -> ()\n  \
           depth(others: [Probe]) -> u32\n  \
           burst() -> ()\n  \
           names(call: u8, request: u8, type: u8, f: u8) -> u8"
    );
    assert!(doc.to_string().contains("enum Result { Ok(Dataset), Err(ProbeError) }"));
}

#[test]
fn j23_documentation_is_a_part_of_it() {
    let doc = SchemaDoc::of::<ProbeRef>();
    let Type::Named(root) = doc.root() else { panic!("it has a name") };
    let Shape::Interface(probe) = &doc.definitions()[*root as usize].shape else {
        panic!("it is an interface")
    };
    assert_eq!(probe.doc, "Measures what is\nbefore it.");
    assert_eq!(probe.methods[0].doc, "Takes n samples and returns the RMS error.");
    assert_eq!(probe.methods[4].doc, "");
    assert!(probe.methods.iter().all(|method| method.one_way == (method.name == "note")));
}

/// Methods that exist on some sides only, or not for long.
#[farlens::remote]
trait Old {
    #[cfg(not(test))]
    async fn gone(&self, what: NoSuchType) -> farlens::Result<NoSuchRef>;
    #[deprecated]
    async fn slow(&self) -> farlens::Result<()>;
    #[cfg(test)]
    async fn fast(&self) -> farlens::Result<OldRef>;
}

/// A trait may be on its way out as a whole.
#[farlens::remote]
#[deprecated = "nobody measures any more"]
trait Older {
    async fn slower(&self) -> farlens::Result<()>;
}

struct Both;

#[expect(deprecated, reason = "that is what is tested")]
impl Older for Both {
    async fn slower(&self) -> farlens::Result<()> {
        Ok(())
    }
}

impl Old for Both {
    async fn slow(&self) -> farlens::Result<()> {
        Ok(())
    }

    async fn fast(&self) -> farlens::Result<OldRef> {
        Ok(OldRef::new(Both))
    }
}

#[tokio::test]
#[expect(deprecated, reason = "that is what is tested")]
async fn attributes_of_methods_are_kept() {
    let old = OldRef::new(Both);
    old.slow().await.unwrap();
    old.pipeline().fast().slow().await.unwrap();
    OlderRef::new(Both).slower().await.unwrap();
    let text = SchemaDoc::of::<OldRef>().to_string();
    assert_eq!(text, "interface Old {\n  slow() -> ()\n  fast() -> Old\n}");
}
