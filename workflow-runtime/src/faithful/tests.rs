use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct New(Option<f64>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    New(f64),
    Tuple(u8, f64),
    Struct { a: f64 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    One { a: f64 },
    Two(BTreeMap<String, f64>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct All {
    number: f64,
    single: f32,
    large: (u128, i128),
    text: String,
    sign: char,
    nothing: (),
    unit: Unit,
    perhaps: Option<Vec<Option<u8>>>,
    new: New,
    shapes: Vec<Shape>,
    tagged: Vec<Tagged>,
    map: BTreeMap<u64, f64>,
    shown: Ipv4Addr,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    skipped: Option<u8>,
    #[serde(flatten)]
    more: BTreeMap<String, f64>,
}

fn all(number: f64) -> All {
    All {
        number: 0.1,
        single: 1.5,
        large: (u128::MAX, i128::MIN),
        text: "\"ü\n".to_owned(),
        sign: 'ß',
        nothing: (),
        unit: Unit,
        perhaps: Some(vec![None, Some(1)]),
        new: New(None),
        shapes: vec![Shape::Unit, Shape::New(1.0), Shape::Tuple(1, 2.0), Shape::Struct { a: 3.0 }],
        tagged: vec![Tagged::One { a: 1.0 }, Tagged::Two([("b".to_owned(), 2.0)].into())],
        map: [(7, 0.5)].into(),
        shown: Ipv4Addr::LOCALHOST,
        skipped: None,
        more: [("extra".to_owned(), number)].into(),
    }
}

fn refused<T: Serialize>(value: T) -> String {
    to_json(&value).unwrap_err().to_string()
}

#[test]
fn what_comes_back_is_written_as_by_serde_json() {
    let bytes = to_json(&all(0.25)).unwrap();
    assert_eq!(bytes, serde_json::to_vec(&all(0.25)).unwrap());
    assert_eq!(serde_json::from_slice::<All>(&bytes).unwrap(), all(0.25));
    // Text that is JSON already.
    let raw = RawValue::from_string("[1.10, null]".to_owned()).unwrap();
    assert_eq!(to_json(&(raw, 1)).unwrap(), b"[[1.10, null],1]");
}

#[test]
fn a_number_that_json_does_not_know_is_found_anywhere() {
    let nan = f64::NAN;
    let map = BTreeMap::from([(1, vec![0.0, nan])]);
    let words = [
        refused(nan),
        refused(f32::NAN),
        refused(all(nan)),
        refused(New(Some(nan))),
        refused(Some(nan)),
        refused(map),
        refused((1, nan)),
        refused([Shape::New(nan)]),
        refused([Shape::Tuple(1, nan)]),
        refused([Shape::Struct { a: nan }]),
        refused([Tagged::One { a: nan }]),
    ];
    for words in words {
        assert!(words.starts_with("it contains `NaN`"), "{words}");
    }
    assert!(refused(f64::NEG_INFINITY).starts_with("it contains `-inf`"));
}

#[test]
fn some_of_nothing_is_found_anywhere() {
    let words = [
        refused(Some(None::<u8>)),
        refused(vec![Some(())]),
        refused(Some(Some(Unit))),
        refused(Some(New(None))),
        refused(Some(serde_json::Value::Null)),
    ];
    for words in words {
        assert!(words.starts_with("`Some` of"), "{words}");
    }
    assert!(to_json(&(Some(Some(1)), Some([None::<u8>]), None::<Option<u8>>)).is_ok());
}

#[test]
fn every_level_of_nesting_counts_as_it_is_read() {
    #[derive(Serialize, Deserialize)]
    enum Deep {
        End,
        List(Vec<Deep>),
        Pair(u8, Box<Deep>),
        Field { inner: Box<Deep> },
    }
    type Deeper = fn(Deep) -> Deep;
    let kinds: [(usize, Deeper); 3] = [
        (2, |inner| Deep::List(vec![inner])),
        (2, |inner| Deep::Pair(1, Box::new(inner))),
        (2, |inner| Deep::Field { inner: Box::new(inner) }),
    ];
    for (levels, deeper) in kinds {
        let deep = |count: usize| (0..count).fold(Deep::End, |inner, _| deeper(inner));
        let bytes = to_json(&deep(DEEPEST / levels)).unwrap();
        assert!(serde_json::from_slice::<Deep>(&bytes).is_ok());
        assert!(refused(deep(DEEPEST / levels + 1)).contains("nested more than 120 levels deep"));
    }
}

#[test]
fn equal_maps_and_sets_of_hashes_are_equal_texts() {
    #[derive(serde::Serialize)]
    struct Report {
        by_name: HashMap<String, HashSet<(u8, String)>>,
        order: Vec<u32>,
    }
    let report = || Report {
        by_name: (0..20).map(|n| (n.to_string(), (0..9).map(|m| (m, format!("{n}"))).collect())).collect(),
        order: vec![3, 1, 2],
    };
    let one = to_json(&report()).unwrap();
    for _ in 0..20 {
        assert_eq!(to_json(&report()).unwrap(), one);
    }
    assert!(String::from_utf8(one).unwrap().ends_with(r#""order":[3,1,2]}"#));
    // What is ordered stays as it is, also where maps are in it.
    let maps = vec![HashMap::from([("b", 1)]), HashMap::from([("a", 2)])];
    assert_eq!(to_json(&maps).unwrap(), br#"[{"b":1},{"a":2}]"#);
    assert_eq!(to_json(&HashSet::from([2, 1])).unwrap(), b"[1,2]");
}

#[test]
fn a_key_that_is_there_twice_is_noted() {
    #[derive(serde::Serialize)]
    struct Flat {
        id: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    #[derive(PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
    #[serde(untagged)]
    enum Key {
        Number(u8),
        Text(String),
    }
    fn twice(value: &impl serde::Serialize) -> Option<String> {
        drop(key_twice());
        to_json(value).unwrap();
        key_twice()
    }
    let flat = |name: &str| twice(&Flat { id: 1, rest: [(name.to_owned(), 2)].into() });
    assert_eq!((flat("name"), flat("id").as_deref()), (None, Some("\"id\"")));
    let keys = || [(Key::Number(1), 1), (Key::Text("1".to_owned()), 2)];
    assert!(twice(&BTreeMap::from(keys())).is_some() && twice(&HashMap::from(keys())).is_some());
    assert_eq!(twice(&BTreeMap::from([(1, 1), (2, 2)])), None);
}
