// Small grey images: drawn with one canvas pixel a pixel, and written as a link can carry them.

/**
 * A canvas that shows grey pixels, 0 is dark; its size on the page is the style sheet's.
 *
 * @param {ArrayLike<number>} pixels 0 to 255, row after row
 * @param {number} side
 * @param {string} label
 */
export function pixelCanvas(pixels, side, label) {
  const canvas = document.createElement("canvas");
  canvas.className = "pixels";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  paintPixels(canvas, pixels, side);
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} pixels
 * @param {number} side
 */
export function paintPixels(canvas, pixels, side) {
  canvas.width = side;
  canvas.height = side;
  const image = new ImageData(side, side);
  for (let i = 0; i < side * side; i++) image.data.set([pixels[i], pixels[i], pixels[i], 255], 4 * i);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}

/** Bytes in URL-safe base64, without padding. @param {ArrayLike<number>} pixels */
export const written = (pixels) =>
  btoa(String.fromCharCode(...Array.from(pixels)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
