// GIF89a: pictures of one size with at most 256 colours together, each shown for a while, again and again.

const MOST_COLOURS = 256;
const MOST_CODES = 4096;

/**
 * @param {object} film
 * @param {number} film.width
 * @param {number} film.height
 * @param {Uint8ClampedArray[]} film.pictures RGBA
 * @param {number} film.delay_ms of each picture; the last stays four times as long
 * @param {string} film.comment
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function gifOf({ width, height, pictures, delay_ms, comment }) {
  const { palette, indices } = quantised(pictures);
  /** @type {number[]} */
  const out = [];
  const text = (/** @type {string} */ letters) => out.push(...new TextEncoder().encode(letters));
  const word = (/** @type {number} */ value) => out.push(value & 255, (value >> 8) & 255);
  text("GIF89a");
  word(width);
  word(height);
  out.push(0xf7, 0, 0); // a table of 256 colours for all
  for (let i = 0; i < MOST_COLOURS; i++) {
    const colour = palette[i] ?? 0;
    out.push((colour >> 16) & 255, (colour >> 8) & 255, colour & 255);
  }
  out.push(0x21, 0xff, 11);
  text("NETSCAPE2.0");
  out.push(3, 1, 0, 0, 0); // for ever
  out.push(0x21, 0xfe);
  blocks(out, new TextEncoder().encode(comment));
  indices.forEach((picture, place) => {
    out.push(0x21, 0xf9, 4, 0);
    word(Math.round((delay_ms * (place === indices.length - 1 ? 4 : 1)) / 10));
    out.push(0, 0, 0x2c, 0, 0, 0, 0);
    word(width);
    word(height);
    out.push(0, 8);
    blocks(out, compressed(picture));
  });
  out.push(0x3b);
  return new Uint8Array(out);
}

/** Bytes in blocks of at most 255, and the end. @param {number[]} out @param {ArrayLike<number>} bytes */
function blocks(out, bytes) {
  for (let at = 0; at < bytes.length; at += 255) {
    const end = Math.min(bytes.length, at + 255);
    out.push(end - at);
    for (let i = at; i < end; i++) out.push(bytes[i]);
  }
  out.push(0);
}

/**
 * Each picture as places in one palette: the colours that are there most, and for every other the nearest of them.
 *
 * @param {Uint8ClampedArray[]} pictures
 */
function quantised(pictures) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const rgba of pictures) {
    for (let i = 0; i < rgba.length; i += 4) {
      const colour = (rgba[i] << 16) | (rgba[i + 1] << 8) | rgba[i + 2];
      counts.set(colour, (counts.get(colour) ?? 0) + 1);
    }
  }
  const palette = [...counts.entries()]
    .sort((a, b) => b[1] - a[1])
    .slice(0, MOST_COLOURS)
    .map(([colour]) => colour);
  const places = new Map(palette.map((colour, place) => [colour, place]));
  const indices = pictures.map((rgba) => {
    const found = new Uint8Array(rgba.length / 4);
    for (let i = 0; i < found.length; i++) {
      const colour = (rgba[4 * i] << 16) | (rgba[4 * i + 1] << 8) | rgba[4 * i + 2];
      let place = places.get(colour);
      if (place === undefined) places.set(colour, (place = nearest(palette, colour)));
      found[i] = place;
    }
    return found;
  });
  return { palette, indices };
}

/** @param {number[]} palette @param {number} colour */
function nearest(palette, colour) {
  let [best, least] = [0, Infinity];
  palette.forEach((other, place) => {
    let distance = 0;
    for (const shift of [16, 8, 0]) distance += (((colour >> shift) & 255) - ((other >> shift) & 255)) ** 2;
    if (distance < least) [best, least] = [place, distance];
  });
  return best;
}

/** GIF's LZW with codes of 9 to 12 bits. @param {Uint8Array} pixels */
export function compressed(pixels) {
  const [clear, end] = [256, 257];
  /** @type {number[]} */
  const bytes = [];
  let [bits, many] = [0, 0];
  let [size, next] = [9, 258];
  /** @type {Map<number, number>} */
  let codes = new Map();
  const write = (/** @type {number} */ code) => {
    bits |= code << many;
    many += size;
    for (; many >= 8; many -= 8, bits >>>= 8) bytes.push(bits & 255);
  };
  write(clear);
  let run = pixels[0];
  for (let i = 1; i < pixels.length; i++) {
    const key = run * 256 + pixels[i];
    const known = codes.get(key);
    if (known !== undefined) {
      run = known;
      continue;
    }
    write(run);
    if (next < MOST_CODES) {
      codes.set(key, next);
      if (next === 1 << size && size < 12) size += 1;
      next += 1;
    } else {
      write(clear);
      codes = new Map();
      [size, next] = [9, 258];
    }
    run = pixels[i];
  }
  write(run);
  write(end);
  if (many) bytes.push(bits & 255);
  return Uint8Array.from(bytes);
}
