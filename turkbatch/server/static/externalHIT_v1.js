/* The functions of https://s3.amazonaws.com/mturk-public/externalHIT_v1.js, written anew.

   turkGetParam gives values as they stand in the address, not decoded: pages rely on it. */

function turkGetParam(name, defaultValue) {
  var escaped = String(name).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  var found = new RegExp("[?&]" + escaped + "=([^&#]*)").exec(window.location.href);
  return found === null ? defaultValue : found[1];
}

function turkGetSubmitToHost() {
  var given = unescape(turkGetParam("turkSubmitTo", "").replace(/\+/g, " "));
  return /^(https?:)?\/\//.test(given) ? given : "https://www.mturk.com";
}

function turkSetAssignmentID(formName, buttonId) {
  var form = document.forms[formName || "mturk_form"] || document.getElementById("mturk_form");
  var button = document.getElementById(buttonId || "submitButton");
  var assignmentId = turkGetParam("assignmentId", "");
  document.getElementById("assignmentId").value = assignmentId;
  if (assignmentId === "ASSIGNMENT_ID_NOT_AVAILABLE" && button) {
    var label = "You must ACCEPT the HIT before you can submit the results.";
    button.disabled = true;
    if (button.tagName === "BUTTON") {
      button.textContent = label;
    } else {
      button.value = label;
    }
  }
  if (form) {
    form.action = turkGetSubmitToHost() + "/mturk/externalSubmit";
  }
}
