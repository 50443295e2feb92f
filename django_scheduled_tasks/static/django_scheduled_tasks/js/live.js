/* What makes the pages live. Everything works without it, as plain forms and links. */
(function () {
    "use strict";

    const FAST = 2000, SLOW = 15000, LONGEST = 60000;
    const byId = (id) => document.getElementById(id);
    const language = document.documentElement.lang || undefined;
    document.documentElement.classList.add("dst-script");

    // --- time

    const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
    let format = null;
    try {
        // Narrow is short enough in English only: in French it is -5 min.
        const style = (language || "en").startsWith("en") ? "narrow" : "short";
        format = new Intl.RelativeTimeFormat(language, { numeric: "always", style });
    } catch (error) { /* an unknown language: what the server wrote stays */ }

    function relative(moment) {
        const seconds = (moment - Date.now()) / 1000;
        const [unit, size] = units.find(([, least]) => Math.abs(seconds) >= least) || units[3];
        return format.format(Math.trunc(seconds / size), unit).replace(/(\d)(\p{L})/u, "$1 $2");
    }

    // In the words of the server, so that a duration that still grows reads like the others.
    function duration(seconds, units) {
        const [second, minute, hour] = units.split("|").map((unit) => (value) => unit.replace("#", Math.floor(value)));
        if (seconds < 60) { return second(seconds); }
        if (seconds < 3600) { return minute(seconds / 60) + " " + second(seconds % 60); }
        return hour(seconds / 3600) + " " + minute(seconds % 3600 / 60);
    }

    // The server's title of an instant says it in the zone of the page and in UTC.
    function inOwnZone(event) {
        const element = event.target.closest && event.target.closest("time[title]");
        if (!element || element.dataset.dstOwn) { return; }
        const moment = new Date(element.dateTime), own = Intl.DateTimeFormat().resolvedOptions().timeZone;
        if (isNaN(moment) || !own) { return; }
        element.dataset.dstOwn = own;
        if (element.title.includes(own) || own === "UTC") { return; }
        const local = new Date(moment - moment.getTimezoneOffset() * 60000);
        element.title += "\n" + local.toISOString().slice(0, 19).replace("T", " ") + " " + own;
    }
    document.addEventListener("pointerover", inOwnZone);

    function refreshTimes() {
        if (document.hidden) { return; }
        if (format) {
            document.querySelectorAll("time[data-dst-relative]").forEach((element) => {
                const text = relative(Date.parse(element.dateTime)).replace(/(\d) m\b/, "$1 min");
                if (element.textContent !== text) { element.textContent = text; }
            });
        }
        document.querySelectorAll("[data-dst-since]").forEach((element) => {
            const since = Math.max(0, (Date.now() - Date.parse(element.dataset.dstSince)) / 1000);
            const text = duration(since, element.dataset.units);
            if (element.textContent !== text) { element.textContent = text; }
        });
    }

    // --- the poller: one request a tick for the whole page

    let timer = 0, failures = 0, ended = false, retryAt = 0, countdown = 0, missed = false, asking = false;

    function poller() { return byId("dst-live"); }

    function next(wait) {
        clearTimeout(timer);
        if (!ended && poller()) { timer = setTimeout(tick, wait); }
    }

    function rhythm() {
        const element = poller();
        return element && ("open" in element.dataset || document.querySelector("[data-dst-watch]:empty")) ? FAST : SLOW;
    }

    function tick() {
        clearTimeout(timer);
        if (ended || document.hidden || !poller() || !window.htmx) { return; }
        window.htmx.trigger(poller(), "dst:tick");
        // Right after a swap htmx does not listen to the new element yet: then nothing was asked. (Its class says nothing:
        // for a moment the new element has that of the old one.) Else LONGEST, in case that no answer is ever reported.
        missed = !asking;
        next(missed ? FAST : LONGEST);
    }

    function ask(event) {
        if (event.detail.elt.id !== "dst-live") { return; }
        asking = true;
        event.detail.parameters.v = event.detail.elt.dataset.version || "";
        const watched = [...document.querySelectorAll("[data-dst-watch]")].map((element) => element.dataset.dstWatch);
        if (watched.length) { event.detail.parameters.watch = watched.join(","); }
    }

    function connection(text, link) {
        const box = byId("dst-connection");
        if (!box) { return; }
        box.hidden = !text;
        if (!text) { return; }
        box.textContent = text + " ";
        if (link) { box.append(link); }
    }

    // Whether the page is live is said by the script, since without it the page is not. Each answer counts, an empty one too.
    let answeredAt = Date.now(), isOut = false;

    function sayLive() {
        const sign = byId("dst-live-sign");
        if (!sign) { return; }
        const texts = sign.dataset, isLost = isOut || failures > 0;
        const text = isOut ? texts.out : failures > 0 ? texts.offline : texts.live;
        const words = text.replace("%s", duration((Date.now() - answeredAt) / 1000, texts.units));
        sign.hidden = false;
        sign.firstElementChild.className = "dst-light " + (isLost ? "dst-warn" : "dst-ok");
        if (sign.lastElementChild.textContent !== words) { sign.lastElementChild.textContent = words; }
    }

    function lost() {
        failures += 1;
        const wait = Math.min(FAST * 2 ** failures, LONGEST);
        retryAt = Date.now() + wait;
        document.body.classList.add("dst-offline");
        const now = document.createElement("button");
        now.type = "button";
        now.textContent = byId("dst-connection").dataset.now;
        now.addEventListener("click", tick);
        clearInterval(countdown);
        const say = () => {
            const left = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
            connection(byId("dst-connection").dataset.lost.replace("%s", left), now);
        };
        say();
        countdown = setInterval(say, 1000);
        next(wait);
    }

    function found() {
        failures = 0;
        answeredAt = Date.now();
        sayLive();
        clearInterval(countdown);
        document.body.classList.remove("dst-offline");
        connection("");
    }

    function signedOut() {
        ended = isOut = true;
        sayLive();
        clearTimeout(timer);
        clearInterval(countdown);
        document.body.classList.add("dst-offline");
        const texts = byId("dst-connection").dataset;
        const link = document.createElement("a");
        link.href = texts.url + "?next=" + encodeURIComponent(location.pathname + location.search);
        link.textContent = texts.login;
        connection(texts.out, link);
        byId("dst-announce").textContent = texts.out;
    }

    // htmx tells of an answer at another element once the one that asked has been replaced, as the poller always is.
    function asker(event) {
        return event.detail.requestConfig ? event.detail.requestConfig.elt : event.detail.elt;
    }

    function answered(event) {
        const status = event.detail.xhr.status;
        if (asker(event).id !== "dst-live") {
            if (status === 401 && byId("dst-connection")) { signedOut(); } else if (status === 403 && byId("dst-connection")) {
                connection(byId("dst-connection").dataset.denied);
            }
            return;
        }
        if (status === 286) { ended = true; found(); clearTimeout(timer); } else if (status === 401) { signedOut(); } else if (status >= 200 && status < 300) {
            found();
            next(missed ? FAST : rhythm());
        } else { lost(); }
    }

    document.addEventListener("htmx:configRequest", ask);
    document.addEventListener("htmx:afterRequest", (event) => {
        if (asker(event).id === "dst-live") { asking = false; }
        if (event.detail.xhr.status) { answered(event); }
    });
    document.addEventListener("htmx:sendError", (event) => { if (asker(event).id === "dst-live") { lost(); } });
    document.addEventListener("htmx:timeout", (event) => { if (asker(event).id === "dst-live") { lost(); } });
    document.addEventListener("htmx:oobAfterSwap", settle);
    document.addEventListener("htmx:afterSwap", settle);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) { refreshTimes(); tick(); } });

    let title = "";
    document.addEventListener("dst:alarm", (event) => {
        title = title || document.title.replace(/^\([^)]*\) /, "");
        document.title = event.detail.text ? "(" + event.detail.text + ") " + title : title;
    });
    document.addEventListener("dst:started", (event) => {
        const token = byId("dst-token");
        if (token) { token.value = event.detail.token; }
        next(500);
    });

    // --- swaps: only what has changed, and nothing that somebody has in hand

    const COUNTED = "time[data-dst-relative], [data-dst-since]";
    const waiting = new Map();
    let isPolled = false;

    // As the server wrote it: without what the script counts up, what is open, and the token that differs each time.
    function plain(element) {
        const copy = element.cloneNode(true);
        copy.querySelectorAll(".dst-newer").forEach((button) => button.remove());
        copy.querySelectorAll(COUNTED).forEach((time) => { time.textContent = ""; });
        copy.querySelectorAll("time").forEach((time) => { time.removeAttribute("title"); delete time.dataset.dstOwn; });
        copy.querySelectorAll("#dst-live-sign").forEach((sign) => sign.remove());
        [copy, ...copy.querySelectorAll("details")].forEach((part) => part.removeAttribute("open"));
        copy.querySelectorAll("input[name=csrfmiddlewaretoken]").forEach((input) => input.removeAttribute("value"));
        return copy.outerHTML.replace(/\s+/g, " ");
    }

    function isTyped(input) {
        if (input.type === "hidden") { return false; }
        return input.matches("[type=checkbox], [type=radio]") ? input.checked !== input.defaultChecked : input.value !== input.defaultValue;
    }

    function isHeld(element) {
        const active = document.activeElement, selection = document.getSelection();
        return element.matches(":hover, details[open]") || Boolean(element.querySelector("details[open]"))
            || (active !== document.body && element.contains(active))
            || (selection.type === "Range" && selection.containsNode(element, true))
            || [...element.querySelectorAll("input, textarea")].some(isTyped);
    }

    function ownText(element) {
        return [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data.trim()).join("|");
    }

    // Makes the children of one that is held as those of the other, around what is held; returns whether all are.
    function mergeChildren(old, fresh) {
        const before = [...old.children].filter((child) => !child.matches(".dst-newer")), after = [...fresh.children];
        const fits = before.length && before.length === after.length && ownText(old) === ownText(fresh)
            && before.every((child, place) => child.tagName === after[place].tagName);
        return Boolean(fits) && before.map((child, place) => merge(child, after[place])).every(Boolean);
    }

    function merge(old, fresh) {
        if (plain(old) === plain(fresh)) { return true; }
        if (isHeld(old)) {
            if (old === document.activeElement || old.matches("a:hover, button:hover, summary:hover, details[open]")) { return false; }
            for (const { name, value } of fresh.attributes) { old.setAttribute(name, value); }
            return mergeChildren(old, fresh);
        }
        old.replaceWith(fresh);
        window.htmx.process(fresh);
        return true;
    }

    function wait(target, fresh) {
        waiting.set(target.id, fresh);
        if (target.querySelector(":scope > .dst-newer")) { return; }
        const button = document.createElement("button");
        button.type = "button";
        button.className = "dst-chip dst-newer";
        button.textContent = byId("dst-connection").dataset.newer;
        button.addEventListener("click", () => {
            show(target);
            const first = target.querySelector("a, button, summary");
            if (first) { first.focus(); }
        });
        target.append(button);
    }

    function show(target) {
        target.replaceChildren(...waiting.get(target.id).childNodes);
        waiting.delete(target.id);
        window.htmx.process(target);
        settle();
    }

    // What has waited is shown as soon as nobody has it in hand any more.
    function showWaiting() {
        for (const id of [...waiting.keys()]) {
            const target = byId(id);
            if (!target) { waiting.delete(id); } else if (!isHeld(target)) { show(target); }
        }
    }

    document.addEventListener("htmx:beforeSwap", (event) => { isPolled = asker(event).id === "dst-live"; });
    document.addEventListener("htmx:oobBeforeSwap", (event) => {
        const target = event.detail.target;
        if (!target.id || target.matches("#dst-log, #dst-messages")) { return; } // those grow, and lose nothing
        const fresh = target.cloneNode(false);
        fresh.append(...[...event.detail.fragment.childNodes].map((node) => node.cloneNode(true)));
        const isSame = plain(target) === plain(fresh), isHeldBack = !isSame && isPolled && isHeld(target);
        event.detail.shouldSwap = !isSame && !isHeldBack;
        if (isHeldBack && !mergeChildren(target, fresh.cloneNode(true))) { wait(target, fresh); return; }
        waiting.delete(target.id);
        target.querySelectorAll(":scope > .dst-newer").forEach((button) => button.remove());
    });

    // --- pages

    const LOG_LENGTH = 65536; // as the server's own limit: the rest is in the download

    function settle() {
        refreshTimes();
        sayLive();
        const log = byId("dst-log"), follow = byId("dst-follow");
        for (let length = log ? log.textContent.length : 0; length > LOG_LENGTH; sayCut()) {
            length -= log.firstElementChild.textContent.length;
            log.firstElementChild.remove();
        }
        if (log && follow && follow.checked) { log.scrollTop = log.scrollHeight; }
    }

    function sayCut() {
        const cut = byId("dst-log-cut");
        cut.textContent = cut.textContent || cut.dataset.cut;
    }

    function remember() {
        document.querySelectorAll("details[data-dst-remember]").forEach((element) => {
            const key = element.dataset.dstRemember;
            try {
                if (localStorage.getItem(key) === "closed") { element.open = false; }
                element.addEventListener("toggle", () => localStorage.setItem(key, element.open ? "open" : "closed"));
            } catch (error) { /* no storage: nothing is remembered */ }
        });
    }

    document.addEventListener("click", (event) => {
        const copy = event.target.closest("[data-dst-copy]");
        if (copy) {
            const source = byId(copy.dataset.dstCopy);
            navigator.clipboard.writeText(source.textContent).then(() => { copy.textContent = copy.dataset.done; });
        }
        const link = event.target.closest("[data-dst-copy-link]");
        if (link && navigator.clipboard) {
            event.preventDefault();
            navigator.clipboard.writeText(link.href).then(() => { link.textContent = link.dataset.done; });
        }
        const close = event.target.closest("[data-dst-close]");
        if (close) {
            const details = close.closest("details");
            details.open = false;
            details.querySelector("summary").focus();
        }
        const tab = event.target.closest("[data-dst-tabs] [data-show]");
        if (tab) {
            tab.parentElement.querySelectorAll("[data-show]").forEach((other) => other.setAttribute("aria-pressed", other === tab));
            showTab(tab.dataset.show);
        }
        if (event.target.id === "dst-wrap") { byId("dst-log").classList.toggle("dst-wrapped", event.target.checked); }
    });

    function showTab(name) {
        const own = byId("dst-own"), all = document.querySelector("details[data-dst-tab]");
        if (!own || !all) { return; }
        own.hidden = name !== "dst-own";
        all.hidden = name === "dst-own";
        all.open = name !== "dst-own";
    }

    // A form that is sent twice in a row is sent once.
    document.addEventListener("submit", (event) => {
        const form = event.target;
        if (!form.closest(".dst") || event.defaultPrevented) { return; }
        if (form.dataset.dstSent) { event.preventDefault(); }
        form.dataset.dstSent = "1";
        setTimeout(() => { delete form.dataset.dstSent; }, 3000);
    });

    document.addEventListener("DOMContentLoaded", () => {
        remember();
        document.querySelectorAll("[data-dst-copy=dst-address]").forEach((button) => {
            button.hidden = false;
            byId("dst-address").textContent = location.origin + location.pathname;
        });
        showTab("dst-own");
        settle();
        setInterval(() => { refreshTimes(); sayLive(); showWaiting(); }, 1000);
        next(rhythm());
    });
})();
