// Which property names may be shortened: those that our own types declare, and that are never read from or handed to
// anything else. The type checker tells: a name that is anywhere that of a member of the language's, the DOM's or WebRTC's
// types stays, and so does what crosses a border (the page's JSON, the port to the worker, `window.flashback`), which is
// declared in a file of `BORDERS`.
//
// What they become is in `names.json`, as `tune.mjs` found it; a name that is not there gets any that is free.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";

/** Files of `src` whose types describe what others read or write. */
const BORDERS = ["api.ts", "guard.ts", "page.ts", "port.ts"];

/** Matches the names that may be shortened in what is bundled from the files directly in `folder`, and tells what they become. */
export function ownNames(folder, config = "tsconfig.json") {
  const files = readdirSync(folder).filter((name) => name.endsWith(".ts")).map((name) => resolve(folder, name));
  const borders = BORDERS.map((name) => resolve(folder, name));
  const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(config, ts.sys.readFile).config, ts.sys, ".");
  const program = ts.createProgram(files, options);
  const checker = program.getTypeChecker();
  const [own, kept] = [new Set(), new Set()];
  const note = (symbol) => {
    for (const { parent, kind } of symbol?.declarations ?? []) {
      const file = parent.getSourceFile().fileName;
      const ours = files.includes(file) && !borders.includes(file);
      if (!ours || MEMBERS.includes(kind)) (ours ? own : kept).add(symbol.name);
    }
  };
  const visit = (node) => {
    if (ts.isPropertyAccessExpression(node)) note(checker.getSymbolAtLocation(node.name));
    else if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)) {
      const name = (node.propertyName ?? node.name).text;
      checker.getTypeAtLocation(node.parent).getProperties().filter((one) => one.name === name).forEach(note);
    } else if (ts.isObjectLiteralExpression(node)) {
      const context = checker.getContextualType(node);
      for (const { name } of node.properties) {
        const all = context?.isUnion() ? context.types : [context];
        if (name && ts.isIdentifier(name)) for (const type of all) note(type?.getProperty(name.text));
      }
    } else if (MEMBERS.includes(node.kind) && node.name) note(checker.getSymbolAtLocation(node.name));
    ts.forEachChild(node, visit);
  };
  for (const file of files) visit(program.getSourceFile(file));
  // Two things of one name would be one.
  const short = Object.entries(JSON.parse(readFileSync("names.json", "utf8"))).filter(([, name]) => !kept.has(name) && !own.has(name));
  return {
    own: new RegExp(`^(?:${[...own].filter((name) => !kept.has(name)).sort().join("|")})$`),
    short: Object.fromEntries(short.map(([name, shortened]) => [`$${name}`, shortened])),
  };
}

const MEMBERS = [ts.SyntaxKind.PropertySignature, ts.SyntaxKind.MethodSignature, ts.SyntaxKind.PropertyDeclaration];
