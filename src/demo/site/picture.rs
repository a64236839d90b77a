//! The site's raster pictures: bar charts in two sizes, the favicon and the
//! card that share links show. Drawn once, when the site is made.

use super::png::Canvas;

/// White, grid, bar, ink, limit.
const CHART: [[u8; 3]; 5] = [
    [255, 255, 255],
    [226, 234, 233],
    [31, 122, 140],
    [27, 42, 47],
    [198, 106, 28],
];

/// A bar chart of small whole numbers, each written over its bar.
struct Chart {
    name: &'static str,
    values: &'static [u8],
    limit: Option<u8>,
}

const CHARTS: [Chart; 5] = [
    Chart {
        name: "crew",
        values: &[5, 3, 2, 1],
        limit: None,
    },
    Chart {
        name: "turbidity",
        values: &[2, 2, 3, 5, 12, 19, 26, 31, 28, 22, 15, 11],
        limit: Some(10),
    },
    Chart {
        name: "illness",
        values: &[3, 41, 88, 52, 21, 7],
        limit: None,
    },
    Chart {
        name: "progress",
        values: &[19, 6, 2],
        limit: None,
    },
    Chart {
        name: "letters",
        values: &[12, 64, 91, 70, 38, 22, 13, 8],
        limit: None,
    },
];

/// Digits, three columns by five rows, the top row in the highest three bits.
const DIGITS: [u16; 10] = [
    0b111_101_101_101_111,
    0b010_110_010_010_111,
    0b111_001_111_100_111,
    0b111_001_111_001_111,
    0b101_101_111_001_001,
    0b111_100_111_001_111,
    0b111_100_111_101_111,
    0b111_001_010_010_010,
    0b111_101_111_101_111,
    0b111_101_111_001_111,
];

/// Every picture as path and PNG file.
pub(super) fn pictures() -> Vec<(String, Vec<u8>)> {
    let mut pictures = vec![
        ("/favicon.png".to_owned(), mark(32, 32)),
        ("/img/share-card.png".to_owned(), mark(600, 315)),
    ];
    for chart in &CHARTS {
        pictures.push((format!("/img/charts/{}.png", chart.name), chart.draw(1)));
        pictures.push((format!("/img/charts/{}@2x.png", chart.name), chart.draw(2)));
    }
    pictures
}

impl Chart {
    /// Draws at 560 by 280 pixels, times `scale`.
    fn draw(&self, scale: usize) -> Vec<u8> {
        const TOP: usize = 40;
        const FOOT: usize = 256;
        const LEFT: usize = 20;
        const WIDE: usize = 520;
        let mut canvas = Canvas::new(560 * scale, 280 * scale);
        let mut fill = |(x, y): (usize, usize), (w, h): (usize, usize), colour| {
            canvas.fill((x * scale, y * scale), (w * scale, h * scale), colour);
        };
        let most = usize::from(self.values.iter().copied().max().unwrap_or(1).max(1));
        let height = |value: u8| usize::from(value) * (FOOT - TOP) / most;

        for line in 0..4 {
            fill((LEFT, TOP + line * (FOOT - TOP) / 4), (WIDE, 1), 1);
        }
        let slot = WIDE / self.values.len().max(1);
        let bar = (slot * 3 / 5).min(72);
        for (at, value) in self.values.iter().enumerate() {
            let tall = height(*value);
            let left = LEFT + at * slot + (slot - bar) / 2;
            fill((left, FOOT - tall), (bar, tall), 2);
            let digits = value.to_string();
            let mut x = left + (bar + 3).saturating_sub(digits.len() * 12) / 2;
            for digit in digits.bytes() {
                let dots = DIGITS[usize::from(digit - b'0')];
                for dot in (0..15).filter(|dot| dots >> (14 - dot) & 1 == 1) {
                    fill((x + dot % 3 * 3, FOOT - tall - 21 + dot / 3 * 3), (3, 3), 3);
                }
                x += 12;
            }
        }
        fill((LEFT, FOOT), (WIDE, 2), 3);
        if let Some(limit) = self.limit {
            fill((LEFT, FOOT - height(limit)), (WIDE, 2), 4);
        }
        canvas.write(&CHART)
    }
}

/// The Inquiry's mark, a drop of water on its dark green, smoothed by taking
/// sixteen samples a pixel.
fn mark(width: usize, height: usize) -> Vec<u8> {
    let palette: Vec<[u8; 3]> = (0..=16u16)
        .map(|share| {
            let mix = |dark: u16, light: u16| {
                u8::try_from((dark * (16 - share) + light * share) / 16)
                    .expect("a mean of bytes is a byte")
            };
            [mix(15, 255), mix(70, 255), mix(80, 255)]
        })
        .collect();
    let mut canvas = Canvas::new(width, height);
    // Eighths of a pixel, from the middle; the drop is a disc with a point.
    let side = |at: usize| i64::try_from(at * 8).expect("pictures here are small");
    let radius = side(height) * 2 / 9;
    let inside = |x: i64, y: i64| {
        let low = y - radius / 2;
        let disc = x * x + low * low <= radius * radius;
        let point =
            low < -radius / 2 && low > -radius * 2 && x.abs() * 20 <= (low + radius * 2) * 12;
        disc || point
    };
    for y in 0..height {
        for x in 0..width {
            let mut share = 0;
            for sample in 0..16 {
                let across = side(x) + 2 * (sample % 4) + 1 - side(width) / 2;
                let down = side(y) + 2 * (sample / 4) + 1 - side(height) / 2;
                share += u8::from(inside(across, down));
            }
            canvas.dot(x, y, share);
        }
    }
    canvas.write(&palette)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn pictures_are_whole_png_files_of_a_few_kilobytes() {
        for (path, file) in pictures() {
            assert!(file.len() < 6000, "{path}: {}", file.len());
            let mut rest = file.strip_prefix(b"\x89PNG\r\n\x1a\n").unwrap();
            let mut names = Vec::new();
            let mut pixels = Vec::new();
            let mut size = [0; 2];
            while !rest.is_empty() {
                let number = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
                let length = number(0) as usize;
                let mut crc = flate2::Crc::new();
                crc.update(&rest[4..8 + length]);
                assert_eq!(crc.sum(), number(8 + length), "{path}");
                match &rest[4..8] {
                    b"IHDR" => size = [number(8) as usize, number(12) as usize],
                    b"IDAT" => {
                        flate2::read::ZlibDecoder::new(&rest[8..8 + length])
                            .read_to_end(&mut pixels)
                            .unwrap();
                    }
                    _ => {}
                }
                names.push(String::from_utf8(rest[4..8].to_vec()).unwrap());
                rest = &rest[12 + length..];
            }
            assert_eq!(names, ["IHDR", "PLTE", "IDAT", "IEND"], "{path}");
            assert_eq!(pixels.len(), (size[0] + 1) * size[1], "{path}");
        }
    }
}
