import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../../../frontend/assets/lab/", import.meta.url));

/** A folder imports from itself and from those that are named; what has no folder may import from all. */
const MAY_IMPORT = new Map(
  Object.entries({
    core: ["core"],
    pictures: ["core", "pictures"],
    charts: ["core", "charts"],
    controls: ["core", "controls"],
    shell: ["core", "shell"],
  }),
);

const names = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));

/** The modules that a module imports, as paths in the folder. @param {string} name */
function importsOf(name) {
  const text = readFileSync(join(FOLDER, name), "utf8");
  const found = [...text.matchAll(/^(?:import|export)\b[^;]*?from "(.+?)";|^import "(.+?)";/gm)];
  return found.map((match) => normalize(join(dirname(name), match[1] || match[2])));
}

test("every import names a module of the folder", () => {
  const missing = names.flatMap((name) => importsOf(name).filter((found) => !names.includes(found)));
  assert.deepEqual(missing, []);
  assert.ok(names.flatMap(importsOf).length > 100);
});

test("pictures, charts, controls and shell know the core and not each other", () => {
  const wrong = names.flatMap((name) => {
    const allowed = MAY_IMPORT.get(name.split(sep)[0]);
    const found = allowed ? importsOf(name).filter((target) => !allowed.includes(target.split(sep)[0])) : [];
    return found.map((target) => `${name} imports ${target}`);
  });
  assert.deepEqual(wrong, []);
});

test("no module imports itself, by whatever way", () => {
  /** @type {Map<string, Set<string>>} */
  const reached = new Map();
  /** @param {string} name @returns {Set<string>} */
  const reach = (name) => {
    const known = reached.get(name);
    if (known) return known;
    const found = new Set();
    reached.set(name, found);
    for (const target of importsOf(name)) for (const each of [target, ...reach(target)]) found.add(each);
    return found;
  };
  assert.deepEqual(
    names.filter((name) => reach(name).has(name)),
    [],
  );
});

test("every module is reached from the entry", () => {
  const found = new Set(["main.js"]);
  for (const name of found) for (const target of importsOf(name)) found.add(target);
  assert.deepEqual(
    names.filter((name) => !found.has(name)),
    [],
  );
});
