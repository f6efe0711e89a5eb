// The scale of steps that film, charts and series share: 0, then sqrt(2) steps from 50, one picture apart.

/** The step of the second picture; before it the scale is linear. */
export const FIRST_STEP = 50;

/** How many pictures after step 0 a step lies. @param {number} step */
export const picturesTo = (step) => (step <= FIRST_STEP ? step / FIRST_STEP : 1 + 2 * Math.log2(step / FIRST_STEP));

/** The step, not rounded, that lies so many pictures after step 0. @param {number} pictures */
export const stepAfter = (pictures) => (pictures <= 1 ? pictures * FIRST_STEP : FIRST_STEP * 2 ** ((pictures - 1) / 2));

/** Steps of the pictures up to a step, which is the last of them. @param {number} last */
export function pictureSteps(last) {
  const steps = [];
  for (let picture = 0; Math.round(stepAfter(picture)) < last; picture++) steps.push(Math.round(stepAfter(picture)));
  return [...steps, last];
}
