// Requests to the server.

import { recordedName } from "./recorded.js";

/**
 * @typedef {object} Answer
 * @property {boolean} ok
 * @property {number} status 0 where the server did not answer
 * @property {any} body
 * @property {string} reason one sentence; empty when it is ok
 */

/**
 * Ask, and give the answer; a command that was refused is not ok.
 *
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<Answer>}
 */
export async function request(method, path, body) {
  const response = await reached(path, {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body ? JSON.stringify(body) : undefined,
  });
  if (!response) return { ok: false, status: 0, body: {}, reason: "The server does not answer. Nothing was changed." };
  const isJson = (response.headers.get("Content-Type") || "").includes("json");
  const content = isJson ? await response.json() : {};
  const ok = response.ok && content.status !== "rejected";
  const reason = ok ? "" : content.error || content.reason || `The server answered ${response.status}.`;
  return { ok, status: response.status, body: content, reason };
}

/**
 * The response of a server that could be reached, or null.
 *
 * @param {string} path
 * @param {RequestInit} [options]
 */
export async function reached(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // fetch says TypeError when the server is away
    return null;
  }
}

/** Where the server tells of a run, or of a recorded one. @param {string} runId */
export function runPath(runId) {
  const recorded = recordedName(runId);
  return recorded === null ? `/api/runs/${encodeURIComponent(runId)}` : `/api/recorded/${encodeURIComponent(recorded)}`;
}
