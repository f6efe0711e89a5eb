// What the page receives and sends. Made by scripts/page_types.py from cdsp_core/wire/messages; do not edit.
// A number is a 64-bit float here: whole numbers are exact up to 2**53. null stands for NaN, that is for no value.

export type Status = "queued" | "starting" | "running" | "paused" | "finished" | "interrupted" | "failed";

export type EventKind = "applied" | "rejected" | "status" | "phase" | "checkpoint" | "error";

export type Outcome = "applied" | "rejected";

export type PhaseName = "even" | "breaks" | "cuts" | "frozen" | "half_cut" | "pulls_ahead" | "oligarchic" | "accuracy";

export type StudyState = "idle" | "waiting" | "running" | "finished" | "stopped" | "failed";

export interface ModelConfig {
  architecture: "cdsp" | "standard" | "blind" | "dense" | "expert_choice" | "shared_fine" | "dselect_k" | "stgc";
  load_balance: number;
  image_size: number;
  patch_size: number;
  num_classes: number;
  d_model: number;
  d_base: number;
  d_task: number;
  num_layers: number;
  num_heads: number;
  num_kv_heads: number;
  num_experts: number;
  num_partitions: number;
  backbone: "low_rank" | "block_sparse";
  top_k: number;
  rank_rule: "sqrt" | "linear" | "force";
  topology_init: "max_entropy" | "self_biased";
  gate_softmax: "top_k" | "all";
  task_fusion: "concat" | "mixed";
  task_mix: number;
  router_norm: "token" | "all";
  task_dropout: "sample" | "batch" | "layer";
  task_embedding: "shared" | "layer";
  encoder_init: "plain" | "release";
  conflict_over: "uv" | "u";
  conflict_every: number;
  conflict_pairs: "all" | "co_active";
  conflict_projection: number;
  penalty: "logit" | "logit_while_positive" | "sigmoid";
  penalty_floor: number;
  penalty_scale: "one" | "experts_over_partitions";
  pressure: "true" | "permuted" | "noise" | "flipped" | "absent";
  pressure_on: "entry" | "shared" | "weaker";
  hidden_task: "zero" | "inferred";
  inference_weight: number;
  route_distillation: number;
  execution: "auto" | "dense" | "sorted";
}

export interface TrainConfig {
  seed: number;
  data: "embedded" | "full";
  dataset: string;
  missing_kmnist: "fail" | "kana";
  labels: "ten" | "release";
  batch_size: number;
  epochs: number;
  steps: number;
  weight_decay: number;
  grad_clip: number;
  clip_scope: "all" | "apart";
  aggregation: "sum" | "pcgrad";
  controller: "off" | "lambda_conflict" | "sharing";
  controller_every: number;
  eval_every: number;
  eval_batch: number;
  validation_frac: number;
  compile: "off" | "on";
}

export interface Controls {
  p_drop: number;
  lambda_conflict: number;
  lr_ratio: number;
  lr_base: number;
  l1: number;
  binarize: number;
  sharing: number;
}

/** A whole config: every field is there. */
export interface RunConfig {
  preset: string;
  model: ModelConfig;
  train: TrainConfig;
  controls: Controls;
}

/** Where a config differs from the preset that it names, by default `live`. */
export interface PartOfAConfig {
  preset?: string;
  model?: Partial<ModelConfig>;
  train?: Partial<TrainConfig>;
  controls?: Partial<Controls>;
}

/** A frame or snapshot has been drawn, and so all before it. */
export interface Ack {
  type: "ack";
  epoch: number;
  seq: number;
}

/** A presenter asks a lesson's question; null ends it. */
export interface Ask {
  type: "ask";
  lesson: string | null;
}

/** Who asks. */
export interface Asker {
  role: "presenter" | "viewer";
  why_not: string | null;
  room: boolean;
  version: string;
}

/** Default, bounds and wording of one control, from /api/schema. */
export interface Bound {
  type: string;
  default: number;
  low: number;
  high: number;
  doc: string;
  scale: "linear" | "log" | "log0";
  [further: string]: unknown;
}

/** A presenter brings everybody to a place; nobody is kept there. */
export interface BringHere {
  type: "bring";
  place: string;
}

/** What `restore` takes. */
export interface Checkpoint {
  checkpoint_id: string;
  epoch: number;
  step: number;
  kept: boolean;
}

/** Write a checkpoint that is kept. */
export interface CheckpointCommand {
  command_id: string;
  base_revision?: number | null;
  type: "checkpoint";
}

/** The worker's answer to one command, sent after it was applied or refused. */
export interface CommandResult {
  command_id: string;
  status: Outcome;
  applied_step: number;
  revision: number;
  old: Record<string, unknown>;
  new: Record<string, unknown>;
  reason: string | null;
}

/** The controls as people asked for them, and as they are in force, since which step. */
export interface ControlStates {
  requested: Record<string, number>;
  applied: Record<string, number>;
  applied_step: Record<string, number>;
}

/** The images of a run. */
export interface Data {
  train: number;
  test: number;
  note: string;
}

/** Where a run is trained. */
export interface Device {
  kind: string;
  name: string;
  memory_mib: number;
  threads: number;
  execution: string | null;
  compiled: boolean | null;
  note: string | null;
}

/** One entry of A through a run, at log-spaced steps whose frames are kept. */
export interface EntryHistory {
  steps: number[];
  connection: number[];
  gradient: number[];
  task: number[];
  conflict: number[];
  l1: number[];
  binarize: number[];
  untold: string | null;
}

/** Why a request was not carried out. */
export interface ErrorAnswer {
  error: string;
}

/** Something could not be read or done; the socket stays open unless the run is gone. */
export interface ErrorMessage {
  type: "error";
  reason: string;
}

/** Something that happened at a step: a change that applied, a status, a phase of the network. */
export interface Event {
  type: "event";
  kind: EventKind;
  run: string;
  epoch: number;
  step: number;
  revision: number;
  time_ms: number;
  text: string;
  data: Record<string, unknown>;
}

/** The state that a run was forked from; the run it was of may be deleted by now. */
export interface ForkPoint {
  run_id: string;
  epoch: number;
  step: number;
}

/** Stored frames, null for no value. */
export interface FramesAsJson {
  frames: (Record<string, unknown>)[];
  next: string | null;
}

/** A class, and the probability that the model gives it. */
export interface Guess {
  label: number;
  share: number;
}

/** How the server is. */
export interface Health {
  status: "ok" | "failing";
  workers: number;
  runs: number;
  store: string | null;
  problems: string[];
}

/** The first message: everything that does not change while the run trains, and the newest events. */
export interface Hello {
  type: "hello";
  protocol: 1;
  run: RunInfo;
  config: RunConfig;
  bounds: Record<string, Bound>;
  tasks: Task[];
  scalar_names: string[];
  architecture: string;
  topology: boolean;
  layers: number;
  experts: number;
  partitions: number;
  dims: number;
  rank: number;
  num_tokens: number;
  data: Data | null;
  steps_per_epoch: number | null;
  edits: RecipeEdit[];
  resumed: boolean;
  events: Event[];
}

/** Accuracy with ID on test images, by task and class, with all there and with one part muted on a copy. */
export interface LesionAnswer {
  layer: number;
  expert: number;
  block: number | null;
  dims: number;
  before: number[][];
  after: number[][];
  before_mean: number[];
  after_mean: number[];
  seconds: number;
  step: number;
}

/** A run in the list of runs, with what it came to. */
export interface ListedRun {
  run_id: string;
  name: string;
  note: string;
  preset: string;
  seed: number;
  status: Status;
  reason: string | null;
  epoch: number;
  step: number;
  total_steps: number;
  revision: number;
  controls: ControlStates;
  speed: number | null;
  device: Device | null;
  steps_per_s: number | null;
  viewers: number;
  restarts: number;
  created_ms: number;
  parent: ForkPoint | null;
  kept: boolean;
  size_bytes: number;
  accuracy: number | null;
  blind_accuracy: number | null;
  links_cut: number | null;
  settings: Record<string, unknown>;
}

/** A run to create from the exact state of another: at this moment, or at a step that has a checkpoint. */
export interface NewFork {
  step?: "now" | number;
  controls?: Partial<Controls>;
  name?: string | null;
  paused?: boolean | null;
}

/** A set to make of what lies in the server's folder of data sets. */
export interface NewOwnSet {
  name: string;
  source: string;
}

/** A run to create, from a preset (by default `live`) or a config that says where it differs from one. */
export interface NewRun {
  name?: string | null;
  preset?: "live" | "standard" | "blind" | "dense" | "paper" | "release";
  config?: PartOfAConfig;
  seed?: number | null;
  data?: "embedded" | "full" | null;
  dataset?: string | null;
  watcher?: string | null;
  edits?: RecipeEdit[];
  pause_at?: number | null;
}

/** An image as the model takes it. */
export interface OwnImage {
  task: number;
  label: number;
  pixels: string;
}

/** A set of own data. */
export interface OwnSetInfo {
  name: string;
  reference: string;
  made_of: string;
  tasks: OwnTaskInfo[];
}

/** A set and some of its images. */
export interface OwnSetShown {
  name: string;
  reference: string;
  made_of: string;
  tasks: OwnTaskInfo[];
  images: OwnImage[];
}

/** Every set that can be trained on. */
export interface OwnSets {
  datasets: OwnSetInfo[];
  sources: string[];
  refused: string[];
}

/** A task of a set of own data: its classes, and how many images each has. */
export interface OwnTaskInfo {
  name: string;
  class_names: string[];
  train: number[];
  test: number[];
}

/** A patch of a test image. */
export interface Patch {
  pixels: number[][];
  task: number;
  label: number;
  place: number;
  gate: number;
}

/** Stop between two steps. */
export interface PauseCommand {
  command_id: string;
  base_revision?: number | null;
  type: "pause";
}

/** A viewer predicts; what it has predicted before counts no more. */
export interface Predict {
  type: "predict";
  lesson: string;
  answer: number;
}

/** What a viewer has predicted for the lesson that is asked; it comes at the beginning, too. */
export interface Predicted {
  type: "predicted";
  lesson: string;
  answer: number;
}

/** A named config. */
export interface Preset {
  name: string;
  text: string;
  config: RunConfig;
}

/** What a model says of an image, and which expert takes each of its patches first, by layer. */
export interface ProbeAnswer {
  told: Guess;
  blind: Guess;
  expert: number[][];
  expert_blind: number[][];
  gate: number[][] | null;
  step: number;
  known: number[];
}

/** Controls that a recipe sets after a step. */
export interface RecipeEdit {
  step: number;
  controls: Partial<Controls>;
}

/** A recorded run in the list of them. */
export interface RecordedRun {
  name: string;
  preset: string;
  seed: number;
  arm: string | null;
  steps: number;
  pictures: number;
  edits: number;
  size_bytes: number;
  controls: Partial<Controls>;
  links_cut: number;
  accuracy: number | null;
  blind_accuracy: number | null;
  settings: Record<string, unknown>;
}

/** Every recorded run there is. */
export interface RecordedRuns {
  recorded: RecordedRun[];
  refused: string[];
}

/** Begin anew, with another seed if one is given. */
export interface ResetCommand {
  command_id: string;
  base_revision?: number | null;
  type: "reset";
  seed?: number | null;
}

/** Forget scalars and frames: a new hello and a snapshot follow. */
export interface ResetMessage {
  type: "reset";
  epoch: number;
  reason: string;
}

/** Go back to a checkpoint. */
export interface RestoreCommand {
  command_id: string;
  base_revision?: number | null;
  type: "restore";
  checkpoint_id: string;
}

/** Train on. */
export interface ResumeCommand {
  command_id: string;
  base_revision?: number | null;
  type: "resume";
}

/** A presenter shows what happened, and what the room has predicted. */
export interface Reveal {
  type: "reveal";
  lesson: string;
}

/** A link as a QR code: a square of so many modules, a white border among them, and the dark ones as an SVG path. */
export interface RoomCode {
  modules: number;
  path: string;
}

/** The presenter has ended the room; the socket is closed. */
export interface RoomEnded {
  type: "ended";
  reason: string;
}

/** Two links into the room, each good until it ends; the key in it is in no address after the first visit. */
export interface RoomLinks {
  viewer: string;
  presenter: string;
  code: RoomCode;
}

/** Everything that the room shows; it comes first, and whenever something of it has changed. */
export interface RoomState {
  type: "room";
  people: number;
  lesson: string | null;
  answered: number;
  counts: number[] | null;
  place: string | null;
  calls: number;
}

/** What people change of a run that is no training. */
export interface RunChange {
  name?: string | null;
  note?: string | null;
  kept?: boolean | null;
}

/** A run as the API and the socket show it. */
export interface RunInfo {
  run_id: string;
  name: string;
  note: string;
  preset: string;
  seed: number;
  status: Status;
  reason: string | null;
  epoch: number;
  step: number;
  total_steps: number;
  revision: number;
  controls: ControlStates;
  speed: number | null;
  device: Device | null;
  steps_per_s: number | null;
  viewers: number;
  restarts: number;
  created_ms: number;
  parent: ForkPoint | null;
}

/** The run has changed, or a second has passed. */
export interface RunMessage {
  type: "run";
  run: RunInfo;
}

/** Train up to a step, then pause. */
export interface RunUntilCommand {
  command_id: string;
  base_revision?: number | null;
  type: "run_until";
  step: number;
}

/** A test image. */
export interface SampleImage {
  pixels: number[];
  task: number;
  label: number;
}

/** Test images to begin with. */
export interface SampleImages {
  images: SampleImage[];
}

/** Change controls, between two steps. */
export interface SetCommand {
  command_id: string;
  base_revision?: number | null;
  type: "set";
  controls: Partial<Controls>;
}

/** Limit the speed, or lift the limit. */
export interface SpeedCommand {
  command_id: string;
  base_revision?: number | null;
  type: "speed";
  steps_per_s: number | null;
}

/** The controls have changed since the sender last looked: the values now. */
export interface StaleAnswer {
  error: string;
  revision: number;
  controls: ControlStates;
}

/** Train some steps, then pause. */
export interface StepCommand {
  command_id: string;
  base_revision?: number | null;
  type: "step";
  steps?: number;
}

/** Write a checkpoint and end the run. */
export interface StopCommand {
  command_id: string;
  base_revision?: number | null;
  type: "stop";
}

/** A study as the API shows it. */
export interface StudyInfo {
  study: string;
  title: string;
  question: string;
  state: StudyState;
  done: number;
  total: number;
  text: string;
  reason: string | null;
  started_ms: number | null;
  ended_ms: number | null;
  result: StudyResult | null;
}

/** Every study, and why none can be started now, if so. */
export interface StudyList {
  unavailable: string | null;
  studies: StudyInfo[];
}

/** What a study found when it last finished. */
export interface StudyResult {
  claims: (Record<string, unknown>)[];
  ended_ms: number;
}

/** The patches that an expert takes most surely, of some test images given with ID, largest weight first. */
export interface SurestPatches {
  patches: Patch[];
  images: number;
  step: number;
}

/** One of the tasks that a run learns. */
export interface Task {
  name: string;
  label: string;
  note: string;
  class_names: string[];
}

/** Whatever people ask of a run. */
export type Command = 
  | SetCommand
  | PauseCommand
  | ResumeCommand
  | StopCommand
  | CheckpointCommand
  | StepCommand
  | RunUntilCommand
  | ResetCommand
  | RestoreCommand
  | SpeedCommand;

/** Every text message of the socket, told apart by `type`. */
export type ServerMessage = 
  | Hello
  | Event
  | RunMessage
  | ResetMessage
  | ErrorMessage;

/** Every message that somebody in a room receives, told apart by `type`. */
export type RoomMessage = 
  | RoomState
  | Predicted
  | RoomEnded
  | ErrorMessage;

/** Every message that somebody in a room sends, told apart by `type`. */
export type RoomSaid = 
  | Ask
  | Reveal
  | BringHere
  | Predict;
