//! The files of the site. The list is written out, so that what is public is decided here and not by a folder's
//! contents; a test compares the two.

use std::time::Duration;

/// One file of the site.
#[derive(Debug)]
pub struct File {
    /// Path of its URL.
    pub path: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its bytes, without any content coding.
    pub bytes: &'static [u8],
}

/// What a file is; decides its media type, its freshness and whether it is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An HTML document.
    Page,
    /// A style sheet.
    Style,
    /// A script.
    Script,
    /// A JPEG picture.
    Picture,
    /// A drawing.
    Drawing,
    /// A WebM film.
    Film,
    /// A typeface.
    Font,
    /// Plain text.
    Text,
    /// A ZIP archive, offered as a download.
    Archive,
}

impl Kind {
    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Page => "text/html; charset=utf-8",
            Self::Style => "text/css; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            Self::Picture => "image/jpeg",
            Self::Drawing => "image/svg+xml",
            Self::Film => "video/webm",
            Self::Font => "font/woff2",
            Self::Text => "text/plain; charset=utf-8",
            Self::Archive => "application/zip",
        }
    }

    /// For how long a copy is fresh. Pages for a minute, so that a correction is seen soon; what changes with an
    /// issue of the magazine only, for a day.
    #[must_use]
    pub const fn max_age(self) -> Duration {
        match self {
            Self::Page => Duration::from_secs(60),
            Self::Style | Self::Script => Duration::from_secs(60 * 60),
            _ => Duration::from_secs(24 * 60 * 60),
        }
    }

    /// Whether compression pays: text only, all else is compressed already.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Page | Self::Style | Self::Script | Self::Drawing | Self::Text
        )
    }
}

macro_rules! files {
    ($($path:literal => $kind:ident $file:literal,)*) => {
        &[$(File { path: $path, kind: Kind::$kind, bytes: include_bytes!(concat!("../pages/", $file)) }),*]
    };
}

/// All files of the site.
pub const FILES: &[File] = files! {
    "/" => Page "index.html",
    "/murmuration" => Page "murmuration.html",
    "/style.css" => Style "style.css",
    "/script.js" => Script "script.js",
    "/icon.svg" => Drawing "icon.svg",
    "/fraunces.woff2" => Font "fraunces.woff2",
    "/fraunces-italic.woff2" => Font "fraunces-italic.woff2",
    "/fraunces.OFL.txt" => Text "fraunces.OFL.txt",
    "/murmuration.webm" => Film "murmuration.webm",
    "/tracks.zip" => Archive "tracks.zip",
    "/pictures/agate.jpg" => Picture "pictures/agate.jpg",
    "/pictures/attractor.jpg" => Picture "pictures/attractor.jpg",
    "/pictures/aurora.jpg" => Picture "pictures/aurora.jpg",
    "/pictures/basalt.jpg" => Picture "pictures/basalt.jpg",
    "/pictures/caustics.jpg" => Picture "pictures/caustics.jpg",
    "/pictures/contours.jpg" => Picture "pictures/contours.jpg",
    "/pictures/coral.jpg" => Picture "pictures/coral.jpg",
    "/pictures/dunes.jpg" => Picture "pictures/dunes.jpg",
    "/pictures/feather.jpg" => Picture "pictures/feather.jpg",
    "/pictures/ink.jpg" => Picture "pictures/ink.jpg",
    "/pictures/murmuration.jpg" => Picture "pictures/murmuration.jpg",
    "/pictures/nebula.jpg" => Picture "pictures/nebula.jpg",
    "/pictures/ridges.jpg" => Picture "pictures/ridges.jpg",
    "/pictures/strata.jpg" => Picture "pictures/strata.jpg",
};
