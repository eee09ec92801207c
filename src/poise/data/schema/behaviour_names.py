"""What behaviours say by their names: in lower case, letters and digits only, in several languages."""

from __future__ import annotations

import re

REJECTING = frozenset(
    (
        *("no", "nein", "left", "swipedleft", "down", "bad", "terrible", "withdrawn", "noshow", "abandoned", "dropped"),
        *("dislike", "dislikes", "disliked", "thumbsdown", "thumbdown", "downvote", "downvoted", "hate"),
        *("hide", "hidden", "block", "blocked", "ban", "report", "reported", "mute", "notinterested"),
        *("notrelevant", "reject", "rejected", "unsubscribe", "swipeleft", "nope", "negative", "unfollow"),
        *("donotrecommend", "dontlike", "complaint", "踩", "不喜欢", "屏蔽", "拉黑", "举报", "不感兴趣"),
        *("差评", "低評価", "嫌い", "싫어요", "gefälltnicht", "gefälltmirnicht", "nichtinteressiert"),
        *("ausblenden", "jenaimepas", "pasintéressé", "masquer", "nomegusta", "nãogostei", "nonmipiace"),
        *("vindiknietleuk", "нравитсяне", "ненравится", "дизлайк", "скрыть"),
    )
)
"""They say no."""

PASSING_OVER = frozenset(
    (
        *("skip", "skipped", "skips", "pass", "ignore", "ignored", "close", "closed", "dismiss", "dismissed"),
        *("bounce", "noclick", "nonclick", "notclicked", "unclicked", "quickskip", "overspringen", "passer"),
        *("saltar", "omitir", "跳过", "划走", "关闭", "未点击", "スキップ", "건너뛰기", "пропуск"),
        *("übersprungen", "überspringen"),
    )
)
"""They say no where the person never chose the item."""

TAKING_BACK = frozenset(
    (
        *("unsaved", "unsave", "annullata", "annullato", "remboursé", "iade", "iptal", "환불", "إلغاء", "отказ"),
        *("return", "returned", "returns", "refund", "refunded", "cancel", "cancelled", "canceled"),
        *("cancellation", "unlike", "unliked", "unfavorite", "unfavourite", "unstar", "unsave"),
        *("removefromcart", "cartremove", "uncart", "removecart", "removefromwishlist", "removewishlist"),
        *("undo", "revoke", "chargeback", "void", "voided", "退货", "退款", "取消", "取消收藏", "取消点赞"),
        *("返品", "キャンセル", "반품", "취소", "возврат", "отмена", "retoure", "rücksendung", "rückgabe"),
        *("zurückgegeben", "storno", "storniert", "stornierung", "retour", "remboursement", "annulation"),
        *("annulé", "devolución", "reembolso", "cancelado", "devolução", "reso", "zwrot"),
    )
)
"""They take back what came before."""

SAYING_NOTHING = frozenset(
    (
        *("failed", "paymentfailed", "declined", "error", "pending", "onhold"),
        *("impression", "impressions", "impress", "exposure", "exposed", "expose", "show", "shown", "showed"),
        *("display", "displayed", "recommended", "rendered", "曝光", "展示", "展现"),
        *("表示", "노출", "показ"),
    )
)
"""The shop showed the item: nobody did anything."""

RATING = frozenset((*("rate", "rated", "rating", "review", "reviewed", "score", "stars", "评分", "打分"),))
"""Their values are ratings."""

_NEGATIONS = frozenset(("not", "no", "dont", "don", "nicht", "kein", "nie", "ne", "não", "nao", "non", "не", "niet"))
_TAKING_OUT = ("remove", "eliminar", "entfern", "quitar", "retirer", "rimuov", "rimoss", "remover", "удал", "usuń")


def plain(name: str) -> str:
    """Return a behaviour's name in the form in which names are compared."""
    return re.sub(r"[\W_]", "", name.casefold())


def negates(name: str) -> bool:
    """Tell whether a name begins with a word such as ``not``: ``not helpful``, ``nie lubię``."""
    words = re.findall(r"[^\W_]+", name.casefold())
    return len(words) > 1 and words[0] in _NEGATIONS


def takes_back(name: str) -> bool:
    """Tell whether a name begins with a word for taking out: ``removed from wishlist``, ``eliminar del carrito``."""
    return plain(name).startswith(_TAKING_OUT)
