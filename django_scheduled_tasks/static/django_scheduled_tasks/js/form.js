/* The form of a task: which fields are shown, what can be chosen instead of typed, what is not saved yet. */
(function () {
    "use strict";

    const byId = (id) => document.getElementById(id);

    function kinds() {
        const radios = document.querySelectorAll("input[name=schedule_kind]");
        if (!radios.length) { return; }
        const rows = { cron: ["cron"], interval: ["every"], dates: ["dates"], manual: [] };
        const show = () => {
            const chosen = document.querySelector("input[name=schedule_kind]:checked");
            const shown = chosen ? rows[chosen.value] || ["other"] : [];
            for (const name of ["cron", "every", "dates", "other"]) {
                const input = document.querySelector("[name=" + name + "], [name=" + name + "_0]");
                const row = input && (input.closest(".form-row") || input.closest(".field-line") || input.closest("fieldset > div"));
                if (row) { row.hidden = !shown.includes(name); }
            }
        };
        radios.forEach((radio) => radio.addEventListener("change", show));
        show();
    }

    // Of an alert rule: which tag or task, only where that is chosen.
    function scope() {
        const radios = document.querySelectorAll("input[name=scope]");
        if (!byId("id_tag") || !radios.length) { return; }
        const show = () => {
            const chosen = document.querySelector("input[name=scope]:checked");
            for (const name of ["tag", "task"]) {
                const input = document.querySelector("[name=" + name + "]");
                const row = input && (input.closest(".form-row") || input.closest(".field-line") || input.closest("fieldset > div"));
                if (row) { row.hidden = !chosen || chosen.value !== name; }
            }
        };
        radios.forEach((radio) => radio.addEventListener("change", show));
        show();
    }

    function zone() {
        const select = byId("id_timezone"), own = Intl.DateTimeFormat().resolvedOptions().timeZone;
        const text = byId("dst-own-zone");
        if (select && text && own) {
            const say = () => { text.hidden = select.value === own; text.textContent = text.dataset.text.replace("%s", own); };
            select.addEventListener("change", say);
            say();
        }
    }

    function searchable() {
        document.querySelectorAll("select[data-dst-filter]").forEach((select) => {
            const input = document.createElement("input");
            input.type = "search";
            input.className = "dst-filter " + byId("id_name").className;
            input.placeholder = select.dataset.dstFilter;
            input.setAttribute("aria-label", select.dataset.dstFilter);
            const options = [...select.options];
            input.addEventListener("input", () => {
                const text = input.value.toLowerCase();
                options.forEach((option) => { option.hidden = option.value !== "" && !option.text.toLowerCase().includes(text); });
            });
            const both = document.createElement("span");
            both.className = "dst-search";
            select.before(both);
            both.append(input, select);
        });
    }

    function examples() {
        const input = byId("id_cron"), list = byId("dst-examples");
        if (!input || !list) { return; }
        const select = document.createElement("select");
        select.className = byId("id_timezone").className + " dst-examples";
        select.setAttribute("aria-label", list.dataset.label);
        select.append(new Option(list.dataset.label, ""), ...[...list.options].map((option) => new Option(option.value, option.value)));
        select.addEventListener("change", () => {
            if (!select.value) { return; }
            input.value = select.value;
            select.value = "";
            input.dispatchEvent(new Event("input", { bubbles: true }));
        });
        input.removeAttribute("list");
        input.after(select);
    }

    function unsaved() {
        const form = byId("scheduledtask_form"), notice = byId("dst-unsaved");
        if (!form || !notice) { return; }
        const state = () => new URLSearchParams(new FormData(form)).toString();
        const first = state();
        let pressed = null;
        document.querySelectorAll("[data-dst-unsaved]").forEach((tool) => tool.addEventListener("click", (event) => {
            if (state() === first || pressed === tool) { return; }
            event.preventDefault();
            pressed = tool;
            notice.hidden = false;
            notice.querySelector("button").focus();
        }));
        notice.querySelector("[data-dst-as-saved]").addEventListener("click", () => pressed.click());
    }

    document.addEventListener("DOMContentLoaded", () => {
        kinds();
        scope();
        zone();
        searchable();
        examples();
        unsaved();
    });
})();
