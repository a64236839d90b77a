//! PNG files of one palette, 8 bits a pixel (PNG 3rd edition §11). Only what
//! the site's own pictures need.

use std::io::Write as _;

use flate2::{Compression, Crc, write::ZlibEncoder};

/// A picture whose pixels are indexes into a palette.
pub(super) struct Canvas {
    width: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    /// A canvas all of colour 0. Sizes are in pixels.
    pub(super) fn new(width: usize, height: usize) -> Canvas {
        Canvas {
            width,
            pixels: vec![0; width * height],
        }
    }

    /// Sets one pixel; what lies outside is dropped.
    pub(super) fn dot(&mut self, x: usize, y: usize, colour: u8) {
        if x < self.width
            && let Some(pixel) = self.pixels.get_mut(y * self.width + x)
        {
            *pixel = colour;
        }
    }

    /// Fills a rectangle; what lies outside is dropped.
    pub(super) fn fill(&mut self, (x, y): (usize, usize), (w, h): (usize, usize), colour: u8) {
        for row in y..y + h {
            for column in x..x + w {
                self.dot(column, row, colour);
            }
        }
    }

    /// The PNG file.
    pub(super) fn write(&self, palette: &[[u8; 3]]) -> Vec<u8> {
        let height = self.pixels.len() / self.width;
        let mut head = Vec::with_capacity(13);
        for side in [self.width, height] {
            let side = u32::try_from(side).expect("pictures here are small");
            head.extend_from_slice(&side.to_be_bytes());
        }
        // 8 bits, palette, deflate, adaptive filters, not interlaced.
        head.extend_from_slice(&[8, 3, 0, 0, 0]);

        let mut body = ZlibEncoder::new(Vec::new(), Compression::best());
        for row in self.pixels.chunks(self.width) {
            body.write_all(&[0])
                .and_then(|()| body.write_all(row))
                .expect("a Vec takes any write");
        }
        let body = body.finish().expect("a Vec takes any write");

        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        chunk(&mut file, *b"IHDR", &head);
        chunk(&mut file, *b"PLTE", palette.as_flattened());
        chunk(&mut file, *b"IDAT", &body);
        chunk(&mut file, *b"IEND", &[]);
        file
    }
}

fn chunk(file: &mut Vec<u8>, name: [u8; 4], content: &[u8]) {
    let length = u32::try_from(content.len()).expect("pictures here are small");
    let mut crc = Crc::new();
    crc.update(&name);
    crc.update(content);
    file.extend_from_slice(&length.to_be_bytes());
    file.extend_from_slice(&name);
    file.extend_from_slice(content);
    file.extend_from_slice(&crc.sum().to_be_bytes());
}
