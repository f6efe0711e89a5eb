// The pictures of the Lab, in the order in which they stand. A new one is declared in a file of its own and named here.

import { backbone } from "./backbone.js";
import { conflict } from "./conflict.js";
import { routing } from "./routing.js";
import { threads } from "./threads.js";
import { topology } from "./topology.js";

export const PICTURES = [topology, threads, routing, conflict, backbone];
