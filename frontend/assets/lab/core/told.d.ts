// What the page reads of messages where their schema leaves it open: the data of events, and answers of either kind.

import type { CommandResult, ControlStates, Event, RunInfo, StaleAnswer, Status } from "./messages.js";

export type Run = RunInfo;

/** A value for each control, by its name. */
export type ControlValues = ControlStates["applied"];

/** What an event of any kind may say; which of it there is depends on the kind. */
export interface EventData {
  command?: { type?: string; requested_step?: number } | null;
  old?: ControlValues | null;
  new?: ControlValues | null;
  reason?: string | null;
  by?: string;
  /** in force from the step on where a run goes on, and set by people later in what went before */
  controls?: ControlValues | null;
  status?: Status;
  phase?: string;
  layer?: number | null;
  since?: number;
}

export type RunEvent = Omit<Event, "data"> & { data: EventData };

/** The answer to a command; a stale `set` holds only error, revision and controls. */
export type CommandAnswer = Partial<Omit<CommandResult, "new"> & StaleAnswer & { new: ControlValues | null }>;
