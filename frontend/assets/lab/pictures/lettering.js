// The letters of pictures on a canvas, which know no style sheet.

export const FONT = '"Inter", system-ui, sans-serif';

/** The size of small text: 13 px where the page is narrow. */
export const smallPx = () => (innerWidth < 1400 ? 13 : 12);
