// What AsyncAPI's own parser says of documents: node parse.js PARSER FILE..., JSON on standard output.
// PARSER is the build for browsers, which holds all that it needs; it looks for their global object.
const fs = require("node:fs");
const vm = require("node:vm");

const [bundle, ...files] = process.argv.slice(2);
globalThis.self = globalThis;
vm.runInThisContext(fs.readFileSync(bundle, "utf8"), { filename: bundle });

(async () => {
  const parser = new globalThis.AsyncAPIParser();
  const found = [];
  for (const file of files) {
    const { document, diagnostics } = await parser.parse(fs.readFileSync(file, "utf8"));
    found.push({
      version: document ? document.version() : null,
      channels: document ? document.channels().all().map((channel) => channel.address()) : [],
      diagnostics: diagnostics.map(({ code, message, path }) => `${code} at ${path.join(".")}: ${message}`),
    });
  }
  process.stdout.write(JSON.stringify(found));
})();
