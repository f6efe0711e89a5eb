// What /lessons/lessons.json says; frontend/lessons/answers.py makes it.

/** Where the Lab stands: recorded runs by their names, a layer from 0, steps; null for the last. */
export interface Look {
  run: string;
  beside: string | null;
  layer: number;
  lens: "matrix" | "threads";
  chart: string;
  begin: number;
  moment: number | null;
}

/** What was measured in every recorded seed; `shown` is the seed of the run that is seen. */
export interface Group {
  seeds: number[];
  values: number[];
  shown: number;
}

export interface Lesson {
  key: string;
  place: number;
  of: number;
  next: string | null;
  title: string;
  card: string;
  minutes: number;
  before: string;
  ask: string;
  answers: string[];
  right: number;
  look: Look;
  after: string;
  unit: string;
  axis: [number, number];
  groups: Group[];
  claim: { text: string; verdict: string; tone: string; address: string; measured: string };
}
