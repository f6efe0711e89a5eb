// What crosses the socket and HTTP, as docs/protocol.md says.

export type Status = "queued" | "starting" | "running" | "paused" | "finished" | "interrupted" | "failed";

/** A value for each control, by its name. */
export type ControlValues = Record<string, number>;

export interface Controls {
  requested: ControlValues;
  applied: ControlValues;
  applied_step: Record<string, number>;
}

export interface Device {
  kind: string;
  name?: string | null;
  memory_mib?: number | null;
  threads?: number | null;
  execution?: string | null;
  compiled?: boolean | null;
}

export interface Run {
  run_id: string;
  name: string;
  preset: string;
  seed: number;
  status: Status;
  reason: string | null;
  epoch: number;
  step: number;
  total_steps: number;
  revision: number;
  controls: Controls;
  speed: number | null;
  device: Device | null;
  steps_per_s: number;
  viewers: number;
  restarts: number;
  created_ms: number;
}

export interface Task {
  name: string;
  label: string;
  note: string;
}

export interface ModelConfig {
  architecture?: string;
  top_k: number;
  patch_size: number;
}

export interface TrainConfig {
  batch_size: number;
}

export interface RunConfig {
  model: ModelConfig;
  train: TrainConfig;
  controls: ControlValues;
}

export interface DataFacts {
  train: number;
  test: number;
  note: string;
}

export interface Hello {
  type: "hello";
  protocol: number;
  run: Run;
  config?: RunConfig | null;
  tasks: Task[];
  scalar_names: string[];
  architecture?: string;
  topology?: boolean;
  layers: number;
  experts: number;
  partitions: number;
  dims: number;
  rank: number;
  num_tokens: number;
  data?: DataFacts | null;
  steps_per_epoch?: number;
  events: RunEvent[];
  resumed: boolean;
}

/** What an event of any kind may say; which of it there is depends on the kind. */
export interface EventData {
  command?: { type?: string; requested_step?: number } | null;
  old?: ControlValues | null;
  new?: ControlValues | null;
  reason?: string | null;
  applied_step?: number;
  by?: string;
  status?: Status;
  phase?: string;
  layer?: number | null;
  checkpoint_id?: string;
}

export interface RunEvent {
  type: "event";
  kind: "applied" | "rejected" | "status" | "phase" | "checkpoint" | "error";
  epoch: number;
  step: number;
  time_ms: number;
  text: string;
  data: EventData;
}

export interface RunMessage {
  type: "run";
  run: Run;
}

export interface ResetMessage {
  type: "reset";
  epoch: number;
  reason: string;
}

export interface ErrorMessage {
  type: "error";
  reason: string;
}

export type ServerMessage = Hello | RunMessage | RunEvent | ResetMessage | ErrorMessage;

/** The answer to a command; a stale `set` (409) holds only `error`, `revision` and `controls`. */
export interface CommandAnswer {
  command_id?: string;
  status?: "applied" | "rejected";
  applied_step?: number;
  revision?: number;
  old?: ControlValues | null;
  new?: ControlValues | null;
  reason?: string | null;
  error?: string;
  controls?: Controls;
}

export interface PresetEntry {
  name: string;
  text: string;
  config: RunConfig;
}
