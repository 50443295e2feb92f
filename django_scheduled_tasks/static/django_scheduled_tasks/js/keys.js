/* Keys: what a page can do has a button too, which says its key by data-dst-key. Never while a field has the focus. */
(function () {
    "use strict";

    const ROWS = "#result_list tbody tr, .dst-blocks tbody tr";
    const FIELDS = "input:not([type=checkbox], [type=radio], [type=submit], [type=button]), textarea, select, [contenteditable]";
    let current = null;

    function row() {
        const focused = document.activeElement.closest(ROWS);
        if (focused) { return focused; }
        return current && current.isConnected ? current : null;
    }

    function move(step) {
        const rows = [...document.querySelectorAll(ROWS)];
        if (!rows.length) { return; }
        const place = rows.indexOf(row());
        const next = rows[place < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(place + step, 0), rows.length - 1)];
        if (current) { current.classList.remove("dst-current"); }
        current = next;
        current.classList.add("dst-current");
        const link = current.querySelector("th a, td a"); // Enter opens it
        if (link) { link.focus(); }
        current.scrollIntoView({ block: "nearest" });
    }

    function press(key) {
        const within = row();
        const button = within ? within.querySelector("[data-dst-key=" + key + "]")
            : [...document.querySelectorAll("[data-dst-key=" + key + "]")].find((one) => !one.closest(ROWS));
        if (button && !button.disabled) { button.click(); }
    }

    function search() {
        const input = document.getElementById("searchbar");
        if (input) { input.focus(); input.select(); }
    }

    function help() {
        const dialog = document.getElementById("dst-keys");
        if (dialog && !dialog.open) { dialog.showModal(); }
    }

    const ACTIONS = {
        "/": search, "?": help, j: () => move(1), k: () => move(-1),
        r: () => press("r"), R: () => press("R"), a: () => press("a"),
    };

    document.addEventListener("keydown", (event) => {
        if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) { return; }
        if (!(event.target instanceof Element) || event.target.closest(FIELDS) || document.querySelector("dialog[open]")) { return; }
        const action = document.getElementById("dst-keys") && Object.hasOwn(ACTIONS, event.key) ? ACTIONS[event.key] : null;
        if (action) { event.preventDefault(); action(); }
    });
    document.addEventListener("click", (event) => {
        if (event.target.closest("[data-dst-keys]")) { help(); }
        if (event.target.closest("[data-dst-keys-close]")) { document.getElementById("dst-keys").close(); }
    });
})();
