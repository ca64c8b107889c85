//! The notice to visitors: a script of its own that says, in their language, that they carry the page, what they got and
//! gave, and how to switch it off. Off unless the site turns it on; written into carried pages only.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    asset::{self, Asset},
    reserved,
};

/// Settings of the notice to visitors (`[notice]`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "proxy", derive(documented::DocumentedFields))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct NoticeSettings {
    /// Whether visitors of a carried page are shown a small notice: that visitors carry it, what they got and gave, and a
    /// button to switch it off. False: what a site tells its visitors, and where, is the site's own affair.
    pub enabled: bool,
    /// Words of your own by language tag, all five of a language: { de = { carried = "…", figures = "… {got} … {given} …",
    /// switch_off = "…", off = "…", close = "…" } }. None by default: English, French, German and Spanish are built in, and
    /// the language is that of the page, else one that the visitor reads.
    pub texts: BTreeMap<String, NoticeTexts>,
}

/// What the notice says in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeTexts {
    /// That visitors carry this page.
    pub carried: String,
    /// What this one got from others and gave them: `{got}` and `{given}` become amounts.
    pub figures: String,
    /// The button that switches it off.
    pub switch_off: String,
    /// What is said then.
    pub off: String,
    /// The name of the button that closes the notice.
    pub close: String,
}

/// A setting of the notice that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoticeError {
    /// No language tag of RFC 5646.
    #[error("texts: '{0}' is no language tag")]
    Language(String),
    /// A text that is empty, or would cover the page.
    #[error("texts.{language}.{text}: must have 1 to {TEXT_MAX} letters, has {letters}")]
    Length {
        /// The language.
        language: String,
        /// The text.
        text: &'static str,
        /// Its letters.
        letters: usize,
    },
    /// The amounts have no place.
    #[error("texts.{language}.figures: '{text}' must say {{got}} and {{given}}")]
    Figures {
        /// The language.
        language: String,
        /// The text.
        text: String,
    },
}

impl NoticeSettings {
    /// Refuses texts that could not be shown.
    ///
    /// # Errors
    /// Names the first bad value.
    pub fn check(&self) -> Result<(), NoticeError> {
        self.texts
            .iter()
            .try_for_each(|(language, texts)| texts.check(language))
    }
}

impl NoticeTexts {
    fn check(&self, language: &str) -> Result<(), NoticeError> {
        let is_part =
            |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if language.len() > TAG_MAX || !language.split('-').all(is_part) {
            return Err(NoticeError::Language(language.to_owned()));
        }
        for (text, words) in [
            ("carried", &self.carried),
            ("figures", &self.figures),
            ("switch_off", &self.switch_off),
            ("off", &self.off),
            ("close", &self.close),
        ] {
            let letters = words.chars().count();
            if letters == 0 || letters > TEXT_MAX {
                return Err(NoticeError::Length {
                    language: language.to_owned(),
                    text,
                    letters,
                });
            }
        }
        if self.figures.contains("{got}") && self.figures.contains("{given}") {
            Ok(())
        } else {
            Err(NoticeError::Figures {
                language: language.to_owned(),
                text: self.figures.clone(),
            })
        }
    }
}

/// The script with the site's words around it, and its address.
#[derive(Debug)]
pub(crate) struct Notice {
    asset: Asset,
    version: String,
    url: String,
}

impl Notice {
    /// None, unless the site wants it.
    pub(crate) fn new(settings: &NoticeSettings) -> Option<Self> {
        // Strings are always JSON, and JSON is always an expression (ECMA-262, 2019 and later).
        let texts = serde_json::to_string(&settings.texts)
            .ok()
            .filter(|_| settings.enabled)?;
        let script = format!("(FLASHBACK_TEXTS=>{{{SCRIPT}}})({texts});\n");
        let version = asset::digest([script.as_bytes()].into_iter());
        Some(Self {
            asset: Asset::script(NAME, Bytes::from(script)),
            url: format!("{}{NAME}?v={version}", reserved::PREFIX),
            version,
        })
    }

    /// Names its build and words.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Where a page finds it.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The script.
    pub(super) const fn asset(&self) -> &Asset {
        &self.asset
    }
}

/// Its name under the prefix.
pub(super) const NAME: &str = "notice.js";
const SCRIPT: &str = include_str!("../../client/dist/notice.js");

/// The longest tag that RFC 5646 asks everybody to bear.
const TAG_MAX: usize = 35;

/// Three lines on a phone are read; more is a dialog, and not unobtrusive.
const TEXT_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn german(figures: &str) -> NoticeTexts {
        NoticeTexts {
            carried: "Getragen.".into(),
            figures: figures.into(),
            switch_off: "Aus".into(),
            off: "Ist aus.".into(),
            close: "Zu".into(),
        }
    }

    fn with(language: &str, texts: NoticeTexts) -> NoticeSettings {
        NoticeSettings {
            enabled: true,
            texts: BTreeMap::from([(language.to_owned(), texts)]),
        }
    }

    #[test]
    fn there_is_none_unless_the_site_wants_it() {
        assert!(Notice::new(&NoticeSettings::default()).is_none());
    }

    #[test]
    fn words_stay_data_and_change_the_address() {
        let plain = Notice::new(&with("de", german("{got} {given}"))).expect("is on");
        let hostile = Notice::new(&with("de", german("\"});alert(1)//{got}{given}"))).expect("is on");
        assert_ne!(plain.url(), hostile.url());
        assert!(hostile.url().starts_with("/.flashback/notice.js?v="));
        let script = std::str::from_utf8(&hostile.asset().plain).expect("is text");
        assert!(script.ends_with(
            "})({\"de\":{\"carried\":\"Getragen.\",\"figures\":\"\\\"});alert(1)//{got}{given}\",\"switch_off\":\"Aus\",\
             \"off\":\"Ist aus.\",\"close\":\"Zu\"}});\n"
        ));
    }

    #[test]
    fn bad_values_are_named() {
        let fault = |settings: NoticeSettings| settings.check().expect_err("is refused").to_string();
        assert!(fault(with("de_DE", german("{got} {given}"))).contains("'de_DE'"));
        assert!(fault(with("de", german("{got}"))).contains("texts.de.figures: '{got}'"));
        assert!(fault(with("de", german(&"{got}{given}".repeat(20)))).contains("has 240"));
        assert_eq!(with("zh-Hant-TW", german("{got} {given}")).check(), Ok(()));
    }
}
