// The built-in client: PROTOCOL.md in a browser, without any library. Whatever users write reaches the page only as
// textContent.

const PAGE = 50;
const RETRY_MS = { first: 500, longest: 15_000 };
const OFFICIAL = "1";

const element = Object.fromEntries(
  [...document.querySelectorAll("[id]")].map((found) => [found.id, found]),
);

const state = {
  token: takeToken(),
  user: null,
  cursor: null, // last position that was shown, as a BigInt
  unsent: new Map(), // nonce → content, until acknowledged
  socket: null,
  heartbeat: null,
  failures: 0,
  unread: 0,
  reading: null, // timer until the server is told
};

element.login.addEventListener("click", developmentLogin);
element.name.addEventListener("keydown", (event) => event.key === "Enter" && developmentLogin());
element.send.addEventListener("click", sendContent);
element.content.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    sendContent();
  }
});
element.older.addEventListener("click", () => showOlder().catch(showProblem));
document.addEventListener("visibilitychange", noteRead);
element.logout.addEventListener("click", () => signOut(""));

if (state.token) start();
else showEntrance("");

// ---- signing in ----

function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    // A token must not stay in the address, where it is copied and kept.
    history.replaceState(null, "", location.pathname + location.search);
    sessionStorage.setItem("token", token);
  }
  return sessionStorage.getItem("token");
}

async function showEntrance(refusal) {
  element.chat.hidden = true;
  element.logout.hidden = true;
  element.entrance.hidden = false;
  element.refusal.textContent = refusal;
  const offered = await fetch("api/v1/dev/login").then((answer) => answer.ok, () => false);
  element.development.hidden = !offered;
  element["token-only"].hidden = offered;
  if (offered) element.name.focus();
}

async function developmentLogin() {
  element.refusal.textContent = "";
  try {
    const { token } = await request("api/v1/dev/login", { name: element.name.value.trim() });
    sessionStorage.setItem("token", token);
    state.token = token;
    start();
  } catch (error) {
    element.refusal.textContent = error.message;
  }
}

function signOut(refusal) {
  sessionStorage.removeItem("token");
  Object.assign(state, { token: null, user: null, cursor: null, failures: 0, unread: 0 });
  state.unsent.clear();
  state.socket?.close();
  state.socket = null;
  element.messages.replaceChildren();
  element.user.textContent = element.channel.textContent = "";
  setStatus("signed out");
  showEntrance(refusal);
}

function start() {
  element.entrance.hidden = true;
  element.chat.hidden = false;
  element.logout.hidden = false;
  connect();
}

// ---- the connection ----

function connect() {
  setStatus("connecting");
  const url = new URL("gateway", document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  state.socket = socket;
  socket.onmessage = (message) => {
    if (state.socket === socket) receive(JSON.parse(message.data)).catch(showProblem);
  };
  socket.onclose = (close) => {
    if (state.socket === socket) closed(close);
  };
}

function reconnectIn(milliseconds) {
  state.socket = null;
  clearInterval(state.heartbeat);
  setStatus("reconnecting");
  setTimeout(() => state.token && !state.socket && connect(), milliseconds);
}

function closed({ code, reason }) {
  if (code === 4004 || code === 4011) {
    signOut("You are signed out: the token is refused or has expired.");
  } else if (code === 4007) {
    clearInterval(state.heartbeat);
    setStatus("closed");
    showProblem(new Error(`The server closed the connection: ${reason}. Close other windows, then reload.`));
  } else {
    const longest = Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** state.failures++);
    reconnectIn(longest / 2 + Math.random() * longest / 2);
  }
}

async function receive(frame) {
  switch (frame.op) {
    case "hello":
      clearInterval(state.heartbeat);
      state.heartbeat = setInterval(() => say({ op: "heartbeat" }), frame.heartbeat_ms);
      return say({
        op: "identify",
        token: state.token,
        cursors: state.cursor === null ? {} : { [OFFICIAL]: String(state.cursor) },
      });
    case "ready":
      return ready(frame);
    case "event":
      return event(frame);
    case "ack":
      state.unsent.delete(frame.nonce);
      return element.problem.replaceChildren();
    case "reconnect": {
      // Until then this connection goes on as before.
      const { socket } = state;
      return setTimeout(() => {
        if (state.socket === socket) reconnectIn(0);
        socket.close();
      }, frame.delay_ms);
    }
    case "error":
      return refused(frame);
  }
}

async function ready({ server_id, user, channels }) {
  state.failures = 0;
  state.user = user;
  const official = channels.find((channel) => channel.id === OFFICIAL);
  element.user.textContent = user.name;
  element.server.textContent = server_id;
  if (!official) {
    setStatus("connected");
    return showProblem(new Error("You may not read the official channel."));
  }
  element.channel.textContent = official.name;
  state.unread = official.unread ?? 0;
  if (state.cursor === null) {
    state.cursor = BigInt(official.head);
    await showOlder().catch((error) => {
      element.older.hidden = false;
      showProblem(error);
    });
  }
  for (const [nonce, content] of state.unsent) sendMessage(nonce, content);
  setStatus("connected");
  element.content.focus();
  noteRead();
}

function event(frame) {
  const channel = frame.message?.channel_id ?? frame.channel?.id ?? frame.channel_id;
  if (channel !== OFFICIAL) return;
  const item = frame.message_id && document.getElementById(`message-${frame.message_id}`);
  switch (frame.type) {
    case "message_create":
      show(frame.message);
      if (frame.message.author.id !== state.user?.id) state.unread++;
      break;
    case "message_update": {
      const { content, edited_ms } = frame;
      item?.replaceChildren(...messageParts({ ...item.message, content, edited_ms }, item));
      break;
    }
    case "message_delete":
      item?.remove();
      break;
    case "reaction":
      if (item) react(item, frame);
      break;
    case "pin":
      item?.replaceChildren(...messageParts({ ...item.message, pinned: frame.pinned }, item));
      break;
    case "channel_update":
      element.channel.textContent = frame.name;
      break;
    case "channel_create":
      // What came before is read as at the first time.
      return state.socket.close();
    case "channel_delete":
      element.messages.replaceChildren();
      state.cursor = null;
      return showProblem(new Error("You may not read the official channel any more."));
    case "read":
      if (state.cursor !== null && BigInt(frame.position) >= state.cursor) state.unread = 0;
      return showUnread();
    default:
      return;
  }
  advance(frame.message?.position ?? frame.position);
  noteRead();
}

function advance(position) {
  const seen = BigInt(position);
  if (state.cursor === null || seen > state.cursor) state.cursor = seen;
}

// ---- unread ----

// Tells the server how far the user has read: when the page is looked at, at most once a second.
function noteRead() {
  showUnread();
  if (document.hidden || state.unread === 0 || state.reading) return;
  state.reading = setTimeout(async () => {
    state.reading = null;
    if (document.hidden || state.cursor === null) return;
    const position = String(state.cursor);
    await request(`api/v1/channels/${OFFICIAL}/read`, { position }, "PUT").catch(showProblem);
  }, 1_000);
}

function showUnread() {
  const count = state.unread >= 100 ? "99+" : state.unread;
  document.title = state.unread && document.hidden ? `(${count}) VibeTalk` : "VibeTalk";
}

function say(frame) {
  if (state.socket?.readyState === WebSocket.OPEN) state.socket.send(JSON.stringify(frame));
}

// ---- messages ----

function sendContent() {
  const content = element.content.value;
  if (!content.trim()) return;
  const nonce = crypto.getRandomValues(new Uint32Array(4)).join("-");
  state.unsent.set(nonce, content);
  sendMessage(nonce, content);
  element.content.value = "";
  element.content.focus();
}

function sendMessage(nonce, content) {
  say({ op: "send", channel_id: OFFICIAL, nonce, content });
}

function refused({ nonce, message, retry_after_ms }) {
  const content = state.unsent.get(nonce);
  showProblem(new Error(message));
  if (content === undefined) return;
  if (retry_after_ms !== undefined) {
    // The same nonce: however often it is sent, it is one message.
    setTimeout(() => state.unsent.has(nonce) && sendMessage(nonce, content), retry_after_ms);
  } else {
    state.unsent.delete(nonce);
    if (!element.content.value) element.content.value = content;
  }
}

async function showOlder() {
  const query = new URLSearchParams({ limit: PAGE });
  const oldest = element.messages.firstElementChild?.dataset.id;
  if (oldest) query.set("before", oldest);
  const { messages } = await request(`api/v1/channels/${OFFICIAL}/messages?${query}`);
  messages.forEach(show);
  element.older.hidden = messages.length < PAGE;
}

// Puts a message where its position belongs, once.
function show(message) {
  const position = BigInt(message.position);
  let after = element.messages.lastElementChild;
  while (after && BigInt(after.dataset.position) > position) after = after.previousElementSibling;
  if (after && BigInt(after.dataset.position) === position) return;
  const list = element.messages;
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const item = messageItem(message);
  if (after) after.after(item);
  else list.prepend(item);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function messageItem(message) {
  const item = document.createElement("li");
  const { id, position, author } = message;
  Object.assign(item.dataset, { id, position, author: author.id });
  item.id = `message-${id}`;
  item.append(...messageParts(message, item));
  return item;
}

// What an item shows, which remembers its message for the changes that come.
function messageParts(message, item) {
  item.message = message;
  const { author, content, timestamp_ms } = message;
  const name = span("author", author.name);
  if (author.id === state.user?.id) name.classList.add("mine");
  name.title = author.id;
  const time = document.createElement("time");
  const when = new Date(timestamp_ms);
  time.dateTime = when.toISOString();
  time.textContent = when.toLocaleString([], { dateStyle: "short", timeStyle: "short" });
  const marks = [message.edited_ms && "edited", message.pinned && "pinned"].filter(Boolean);
  const parts = [name, time, span("marks", marks.join(", ")), span("content", content)];
  for (const { url, filename } of message.attachments ?? []) {
    const link = span("attachment", filename, "a");
    Object.assign(link, { href: url, target: "_blank", rel: "noopener noreferrer" });
    parts.push(link);
  }
  const reactions = (message.reactions ?? []).map(({ emoji, count }) => `${emoji} ${count}`);
  return [...parts, span("reactions", reactions.join("  "))];
}

function react(item, { emoji, on }) {
  const counts = new Map((item.message.reactions ?? []).map((each) => [each.emoji, each.count]));
  counts.set(emoji, (counts.get(emoji) ?? 0) + (on ? 1 : -1));
  const reactions = [...counts].filter(([, count]) => count > 0).map(([emoji, count]) => ({ emoji, count }));
  item.replaceChildren(...messageParts({ ...item.message, reactions }, item));
}

function span(className, text, tag = "span") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// ---- requests and notices ----

async function request(path, body, method = body ? "POST" : "GET") {
  const headers = state.token ? { authorization: `Bearer ${state.token}` } : {};
  if (body) headers["content-type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const json = await answer.json();
  if (!answer.ok) throw new Error(json.detail ?? `the server answers ${answer.status}`);
  return json;
}

function setStatus(text) {
  element.status.textContent = text;
  element.status.dataset.state = text;
}

function showProblem(error) {
  element.problem.textContent = error.message;
}
