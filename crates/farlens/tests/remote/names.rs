//! Traits in odd places, with types whose names the generated code might have had in mind.

use futures::{Stream, TryStreamExt, stream};

mod generated {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, farlens::Schema)]
    pub(super) struct Value(pub(super) u8);
}

/// Types that shadow those of the prelude and the usual type parameters.
mod shadows {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, farlens::Schema)]
    pub(super) struct T(pub(super) u8);
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, farlens::Schema)]
    pub(super) struct String(pub(super) u8);
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, farlens::Schema)]
    pub(super) struct Box(pub(super) u8);
}

use shadows::{Box, String, T};

#[farlens::remote]
trait Shadowed {
    async fn value(&self, value: generated::Value) -> farlens::Result<generated::Value>;
    async fn all(&self, t: T, string: String) -> farlens::Result<Box>;
    fn each(&self, t: T) -> impl Stream<Item = farlens::Result<T>>;
    #[allow(non_snake_case)]
    async fn CamelCase(&self, r#async: u8) -> farlens::Result<u8>;
}

struct Plain;

impl Shadowed for Plain {
    async fn value(&self, value: generated::Value) -> farlens::Result<generated::Value> {
        Ok(value)
    }

    async fn all(&self, t: T, string: String) -> farlens::Result<Box> {
        Ok(Box(t.0 + string.0))
    }

    fn each(&self, t: T) -> impl Stream<Item = farlens::Result<T>> {
        stream::iter((0..t.0).map(T).map(Ok))
    }

    async fn CamelCase(&self, r#async: u8) -> farlens::Result<u8> {
        Ok(r#async)
    }
}

#[tokio::test]
async fn names_of_users_are_theirs() {
    let plain = ShadowedRef::new(Plain);
    assert_eq!(plain.value(generated::Value(3)).await.unwrap(), generated::Value(3));
    assert_eq!(plain.all(T(1), String(2)).await.unwrap(), Box(3));
    assert_eq!(plain.each(T(2)).try_collect::<Vec<_>>().await.unwrap(), [T(0), T(1)]);
    assert_eq!(plain.CamelCase(9).await.unwrap(), 9);
}

macro_rules! echoes {
    ($($name:ident: $ty:ty;)*) => {$(
        #[farlens::remote]
        trait $name {
            async fn echo(&self, value: $ty) -> farlens::Result<$ty>;
            fn echoes(
                &self,
                values: impl Stream<Item = farlens::Result<$ty>>,
            ) -> impl Stream<Item = farlens::Result<$ty>>;
        }

        impl $name for Plain {
            async fn echo(&self, value: $ty) -> farlens::Result<$ty> {
                Ok(value)
            }

            fn echoes(
                &self,
                values: impl Stream<Item = farlens::Result<$ty>> + Send,
            ) -> impl Stream<Item = farlens::Result<$ty>> {
                values
            }
        }
    )*};
}

echoes! {
    EchoNumber: u8;
    EchoList: Vec<Option<u8>>;
}

#[tokio::test]
async fn other_macros_may_write_traits() {
    assert_eq!(EchoNumberRef::new(Plain).echo(7).await.unwrap(), 7);
    let list = EchoListRef::new(Plain);
    let values = stream::iter([Ok(vec![None]), Ok(vec![Some(1)])]);
    assert_eq!(list.echoes(values).try_collect::<Vec<_>>().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_trait_may_stand_in_a_function_and_have_no_methods() {
    #[farlens::remote]
    trait Nothing {}
    impl Nothing for Plain {}

    #[farlens::remote]
    trait Holder {
        async fn held(&self) -> farlens::Result<NothingRef>;
    }
    impl Holder for Plain {
        async fn held(&self) -> farlens::Result<NothingRef> {
            Ok(NothingRef::new(Plain))
        }
    }
    HolderRef::new(Plain).held().await.unwrap();
}
