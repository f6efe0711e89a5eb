// What the page shows of itself to the browser tests and to the bench.

import type { Stats } from "./core/stats.js";
import type { RunView } from "./run_view.js";

declare global {
  interface Window {
    topologyLab?: { views: RunView[]; stats: Stats };
  }
}
