// A cable between the browsers and the site that a test can cut for the signalling alone: the broker is then as good as
// dead, and the origin is not.
import { connect, createServer } from "node:net";

export async function relay(port) {
  const signalling = new Set();
  const all = new Set();
  let cut = false;
  const server = createServer((visitor) => {
    keep(all, visitor);
    visitor.once("data", (head) => {
      const signals = head.includes("GET /.flashback/signal");
      if (signals && cut) {
        visitor.destroy();
        return;
      }
      const site = connect(port, "127.0.0.1");
      keep(all, site);
      if (signals) keep(signalling, visitor);
      site.write(head);
      visitor.pipe(site).pipe(visitor);
      // What the site said last may still be on its way: ended, not destroyed.
      site.on("close", () => visitor.end());
      visitor.on("close", () => site.destroy());
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** Signalling sockets that are open. */
    signalling: () => signalling.size,
    /** Ends the signalling, now and for ever. */
    cut() {
      cut = true;
      for (const socket of signalling) socket.destroy();
    },
    close() {
      server.close();
      for (const socket of all) socket.destroy();
    },
  };
}

function keep(set, socket) {
  set.add(socket);
  socket.on("close", () => set.delete(socket));
  // A browser hangs up whenever it likes.
  socket.on("error", () => socket.destroy());
}
